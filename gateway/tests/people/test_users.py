"""Users: one address, one external id, teams that exist."""

import asyncio
from typing import Any

import pytest
from crm_testkit.door import Door, Keyholder


async def made(tenant: Keyholder, **body: Any) -> dict[str, Any]:
    response = await tenant.client.post("/v1/users", json={"name": "陈静", "email": "jing@example.com", **body})
    assert response.status_code == 201, response.text
    return dict(response.json())


async def test_a_user_as_written(tenant: Keyholder) -> None:
    team = (await tenant.client.post("/v1/teams", json={"name": "华东"})).json()
    user = await made(tenant, language="zh-CN", teams=[{"team_id": team["id"], "manager": True}], external_id="E-7")
    assert user["id"].startswith("user_")
    assert (user["status"], user["teams"]) == ("active", [{"team_id": team["id"], "manager": True}])
    for params in ({"email": "JING@Example.com"}, {"team": team["id"]}, {"external_id": "E-7"}, {"status": "active"}):
        found = (await tenant.client.get("/v1/users", params=params)).json()["data"]
        assert [one["id"] for one in found] == [user["id"]], params
    condition = {"where": {"field": "team", "op": "contains", "value": team["id"]}}
    assert len((await tenant.client.post("/v1/users/search", json=condition)).json()["data"]) == 1


@pytest.mark.parametrize(
    ("taken", "wanted", "code"),
    [
        ({"email": "jing@example.com"}, {"email": "JING@example.COM"}, "user_email_taken"),
        ({"external_id": "E-7"}, {"email": "other@example.com", "external_id": "E-7"}, "user_external_id_taken"),
    ],
)
async def test_two_users_do_not_share_an_identity(
    door: Door, tenant: Keyholder, taken: dict[str, str], wanted: dict[str, str], code: str
) -> None:
    first = await made(tenant, **taken)
    answer = await tenant.client.post("/v1/users", json={"name": "x", **wanted, "email": wanted["email"]})
    assert (answer.status_code, answer.json()["code"], answer.json()["user_id"]) == (409, code, first["id"])
    second = await made(tenant, email="free@example.com")
    answer = await tenant.client.patch(f"/v1/users/{second['id']}", json={**wanted})
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert (await tenant.client.patch(f"/v1/users/{first['id']}", json={**taken, "name": "y"})).status_code == 200
    await made(await door.tenant("Other"), **wanted)


async def test_of_two_at_once_one_gets_the_address(tenant: Keyholder) -> None:
    for number in range(5):
        body = {"name": "x", "email": f"once{number}@example.com"}
        answers = await asyncio.gather(*(tenant.client.post("/v1/users", json=body) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


async def test_teams_exist_and_are_named_once(door: Door, tenant: Keyholder) -> None:
    team = (await tenant.client.post("/v1/teams", json={"name": "华东"})).json()["id"]
    foreign = (await (await door.tenant("Other")).client.post("/v1/teams", json={"name": "别家"})).json()["id"]
    body = {"name": "x", "email": "x@example.com", "teams": [{"team_id": one} for one in (team, foreign, team)]}
    answer = await tenant.client.post("/v1/users", json=body)
    assert answer.status_code == 422
    assert {(error["pointer"], error["code"]) for error in answer.json()["errors"]} == {
        ("/teams/1/team_id", "not_found"),
        ("/teams/2/team_id", "repeated"),
    }


async def test_a_staff_system_keeps_users_by_its_own_ids(tenant: Keyholder) -> None:
    def upsert(name: str, email: str) -> dict[str, Any]:
        data = {"name": name, "email": email, "external_id": "HR-1"}
        return {"operations": [{"method": "upsert", "match": "external_id", "data": data}]}

    for name, email, status in (("陈静", "jing@a.cn", 201), ("陈静静", "jing@b.cn", 200)):
        answer = await tenant.client.post("/v1/users/batch", json=upsert(name, email))
        assert [result["status"] for result in answer.json()["results"]] == [status]
    [user] = (await tenant.client.get("/v1/users")).json()["data"]
    assert (user["name"], user["email"], user["version"]) == ("陈静静", "jing@b.cn", 2)


async def test_who_may_read_users_may_not_make_them(door: Door, tenant: Keyholder) -> None:
    reader = await door.key(tenant, "users:read", "write")
    assert (await reader.get("/v1/users")).status_code == 200
    answer = await reader.post("/v1/users", json={"name": "x", "email": "x@example.com"})
    assert (answer.status_code, answer.json()["missing_permission"]) == (403, "admin")
