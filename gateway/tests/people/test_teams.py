"""Teams are a tree, and who belongs to one is told by the users."""

import asyncio
from typing import Any

import httpx
from crm_testkit.door import Door, Keyholder


async def made(tenant: Keyholder, path: str, **body: Any) -> dict[str, Any]:
    response = await tenant.client.post(path, json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


def fault(response: httpx.Response) -> tuple[int, str, str]:
    [error] = response.json()["errors"]
    return response.status_code, error["pointer"], error["code"]


async def test_a_team_is_never_below_itself(tenant: Keyholder) -> None:
    board = await made(tenant, "/v1/teams", name="管理层")
    sales = await made(tenant, "/v1/teams", name="销售部", parent_id=board["id"])
    east = await made(tenant, "/v1/teams", name="华东", parent_id=sales["id"])
    for team, parent in ((board, board), (board, sales), (board, east), (sales, east)):
        answer = await tenant.client.patch(f"/v1/teams/{team['id']}", json={"parent_id": parent["id"]})
        assert fault(answer) == (422, "/parent_id", "cycle")
    assert (await tenant.client.patch(f"/v1/teams/{east['id']}", json={"parent_id": board["id"]})).status_code == 200
    below = (await tenant.client.get("/v1/teams", params={"parent_id": board["id"]})).json()["data"]
    assert {team["id"] for team in below} == {sales["id"], east["id"]}


async def test_two_moves_do_not_close_a_circle_together(tenant: Keyholder) -> None:
    for _ in range(5):
        one, other = [await made(tenant, "/v1/teams", name=name) for name in ("甲", "乙")]
        moves = [(one, other), (other, one)]
        answers = await asyncio.gather(
            *(tenant.client.patch(f"/v1/teams/{a['id']}", json={"parent_id": b["id"]}) for a, b in moves)
        )
        assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_a_tree_has_a_bottom(tenant: Keyholder) -> None:
    team = await made(tenant, "/v1/teams", name="0")
    for depth in range(1, 20):
        team = await made(tenant, "/v1/teams", name=str(depth), parent_id=team["id"])
    answer = await tenant.client.post("/v1/teams", json={"name": "20", "parent_id": team["id"]})
    assert fault(answer) == (422, "/parent_id", "too_deep")


async def test_a_parent_is_of_the_same_tenant(door: Door, tenant: Keyholder) -> None:
    other = await door.tenant("Other")
    foreign = await made(other, "/v1/teams", name="别家")
    answer = await tenant.client.post("/v1/teams", json={"name": "x", "parent_id": foreign["id"]})
    assert fault(answer) == (422, "/parent_id", "not_found")


async def test_a_team_with_members_or_teams_below_stays(tenant: Keyholder) -> None:
    top = await made(tenant, "/v1/teams", name="上")
    low = await made(tenant, "/v1/teams", name="下", parent_id=top["id"])
    user = await made(tenant, "/v1/users", name="陈静", email="jing@example.com", teams=[{"team_id": low["id"]}])
    for team in (top, low):
        answer = await tenant.client.delete(f"/v1/teams/{team['id']}")
        assert (answer.status_code, answer.json()["code"]) == (409, "team_in_use")
    assert (await tenant.client.patch(f"/v1/users/{user['id']}", json={"teams": []})).status_code == 200
    for team in (low, top):
        assert (await tenant.client.delete(f"/v1/teams/{team['id']}")).status_code == 204


async def test_nobody_joins_a_team_while_it_is_deleted(tenant: Keyholder) -> None:
    for number in range(8):
        team = await made(tenant, "/v1/teams", name="短")
        body = {"name": "x", "email": f"race{number}@example.com", "teams": [{"team_id": team["id"]}]}
        joined, deleted = await asyncio.gather(
            tenant.client.post("/v1/users", json=body), tenant.client.delete(f"/v1/teams/{team['id']}")
        )
        assert (joined.status_code, deleted.status_code) in ((201, 409), (422, 204))
