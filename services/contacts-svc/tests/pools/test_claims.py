"""Claiming out of a pool and giving back: by whom, how many, how soon again, and what is told of it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from crm_contracts.ids import ContactId, PoolId, TeamId, UserId
from crm_contracts.registry import CONTACT
from crm_testkit.service import ServiceUnderTest, Tenant

Salesperson = Callable[..., Tenant]
Later = Callable[[timedelta], Awaitable[None]]


async def a_pool(tenant: Tenant, **members: Any) -> str:
    return str((await tenant.create("/v1/pools", name="公海", **members))["id"])


async def pooled(tenant: Tenant, pool_id: str, **members: Any) -> str:
    return str((await tenant.create("/v1/contacts", full_name="王伟", pool_id=pool_id, **members))["id"])


async def claim(by: Tenant, contact_id: str, **body: Any) -> httpx.Response:
    return await by.client.post(f"/v1/contacts/{contact_id}/claim", json=body)


async def release(by: Tenant, contact_id: str, reason: str = "不感兴趣", **body: Any) -> httpx.Response:
    return await by.client.post(f"/v1/contacts/{contact_id}/release", json={"reason": reason, **body})


def refused(answer: httpx.Response, status: int = 409) -> str:
    assert answer.status_code == status, answer.text
    code: str = answer.json()["code"]
    return code


async def test_who_claims_has_it_and_it_is_told(
    service: ServiceUnderTest, tenant: Tenant, salesperson: Salesperson
) -> None:
    pool_id, me = await a_pool(tenant, return_after_days=30), UserId.new()
    contact_id = await pooled(tenant, pool_id)
    answer = await claim(salesperson(me), contact_id)
    assert answer.status_code == 200, answer.text
    claimed = answer.json()
    assert (claimed["owner_id"], claimed["pool_id"], claimed["version"]) == (me, pool_id, 2)
    assert "masked" not in claimed, "who has it sees it"
    (move,) = claimed["pool_history"]
    assert (move["kind"], move["user_id"], move["pool_id"], move["actor_id"]) == ("claimed", me, pool_id, me)
    assert timedelta(days=29) < datetime.fromisoformat(claimed["returns_at"]) - datetime.now().astimezone()
    back = (await release(salesperson(me), contact_id)).json()
    assert (back["owner_id"], back["team_id"], back["pool_id"], back["returns_at"]) == (None, None, pool_id, None)
    assert [(each["kind"], each["reason"]) for each in back["pool_history"]] == [
        ("claimed", None),
        ("released", "不感兴趣"),
    ]
    events = await service.events(CONTACT.name, key=contact_id, at_least=3)
    assert [event.type.split(".")[-2] for event in events] == ["created", "claimed", "released"]
    assert events[1].actor_id == me


@pytest.mark.parametrize("racing", [2, 12])
async def test_of_those_who_race_exactly_one_has_it(tenant: Tenant, salesperson: Salesperson, racing: int) -> None:
    pool_id = await a_pool(tenant)
    for _ in range(5):
        contact_id = await pooled(tenant, pool_id)
        people = [UserId.new() for _ in range(racing)]
        answers = await asyncio.gather(*(claim(salesperson(user), contact_id) for user in people))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * (racing - 1)
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"already_claimed"}
        winner = next(user for user, answer in zip(people, answers, strict=True) if answer.status_code == 200)
        contact = await tenant.read(f"/v1/contacts/{contact_id}")
        assert (contact["owner_id"], len(contact["pool_history"])) == (winner, 1)


async def test_the_team_of_the_claimer_is_among_the_pool_s(
    service: ServiceUnderTest, tenant: Tenant, salesperson: Salesperson
) -> None:
    ours, theirs, me = TeamId.new(), TeamId.new(), UserId.new()
    await _in_teams(service, tenant, me, [theirs, ours])
    contact_id = await pooled(tenant, await a_pool(tenant, team_ids=[ours]))
    stranger = await claim(salesperson(), contact_id)
    assert refused(stranger, 403) == "pool_of_others"
    claimed = (await claim(salesperson(me), contact_id)).json()
    assert claimed["team_id"] == ours
    assert (await claim(salesperson(), contact_id)).status_code == 404, "no longer of a pool that is theirs to know"


async def _in_teams(service: ServiceUnderTest, tenant: Tenant, user_id: str, team_ids: list[str]) -> None:
    """As the user's event would have it."""
    import asyncpg

    connection = await asyncpg.connect(service.urls.app)
    try:
        await connection.execute("select set_config('app.tenant_id', $1, false)", tenant.id)
        await connection.execute("insert into team_member values ($1, $2, 1, $3)", tenant.id, user_id, team_ids)
    finally:
        await connection.close()


async def test_limits_hold_whatever_comes_at_once(tenant: Tenant, salesperson: Salesperson) -> None:
    for limit in ({"hold_limit": 3}, {"claim_limit_per_day": 3}):
        pool_id, me = await a_pool(tenant, **limit), salesperson()
        contacts = [await pooled(tenant, pool_id) for _ in range(12)]
        answers = await asyncio.gather(*(claim(me, contact_id) for contact_id in contacts))
        assert sorted(answer.status_code for answer in answers) == [200] * 3 + [409] * 9
        codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
        assert codes == {"hold_limit_reached" if "hold_limit" in limit else "claim_limit_reached"}
        held = await tenant.read("/v1/contacts", pool_id=pool_id, pooled="false")
        assert len(held["data"]) == 3
        assert (await claim(salesperson(), held["data"][0]["id"])).status_code == 409


async def test_what_was_given_back_makes_room_and_a_day_passes(
    tenant: Tenant, salesperson: Salesperson, later: Later
) -> None:
    pool_id, me = await a_pool(tenant, hold_limit=1, claim_limit_per_day=2), salesperson()
    first, second, third = [await pooled(tenant, pool_id) for _ in range(3)]
    assert (await claim(me, first)).status_code == 200
    assert refused(await claim(me, second)) == "hold_limit_reached"
    await release(me, first)
    assert (await claim(me, second)).status_code == 200
    await release(me, second)
    late = await claim(me, third)
    assert refused(late) == "claim_limit_reached"
    assert datetime.fromisoformat(late.json()["again_at"]) > datetime.now().astimezone()
    await later(timedelta(hours=25))
    assert (await claim(me, third)).status_code == 200


async def test_who_gave_it_back_waits_and_others_do_not(tenant: Tenant, salesperson: Salesperson, later: Later) -> None:
    pool_id, me, other = await a_pool(tenant, reclaim_after_days=7), salesperson(), salesperson()
    contact_id = await pooled(tenant, pool_id)
    await claim(me, contact_id)
    await release(me, contact_id)
    assert refused(await claim(me, contact_id)) == "claimed_lately"
    assert (await claim(other, contact_id)).status_code == 200
    await release(other, contact_id)
    await later(timedelta(days=8))
    assert (await claim(me, contact_id)).status_code == 200


async def test_what_is_in_no_pool_is_not_claimed(tenant: Tenant, salesperson: Salesperson, manager: Tenant) -> None:
    lonely = (await tenant.create("/v1/contacts", full_name="王伟"))["id"]
    me = UserId.new()
    assert refused(await claim(salesperson(me), lonely), 404) == "not_found"
    assert refused(await claim(manager, lonely)) == "not_in_pool"
    assert refused(await claim(salesperson(me), ContactId.new()), 404) == "not_found"
    assert refused(await claim(salesperson(me), "nonsense"), 404) == "not_found"
    pool_id = await a_pool(tenant)
    contact_id = await pooled(tenant, pool_id)
    assert refused(await release(manager, contact_id)) == "not_claimed"
    mine = (await salesperson(me).create("/v1/contacts", full_name="李娜"))["id"]
    assert refused(await release(salesperson(me), mine)) == "not_in_pool"
    assert (await release(salesperson(me), mine, pool_id=pool_id)).json()["pool_id"] == pool_id
    missing = await release(manager, mine, pool_id=PoolId.new())
    assert missing.status_code == 409


async def test_a_key_without_a_user_says_for_whom(tenant: Tenant, salesperson: Salesperson) -> None:
    contact_id, user_id = await pooled(tenant, await a_pool(tenant)), UserId.new()
    unsaid = await claim(tenant, contact_id)
    assert [fault["pointer"] for fault in unsaid.json()["errors"]] == ["/user_id"]
    assert refused(await claim(salesperson(), contact_id, user_id=user_id), 403) == "forbidden"
    assert (await claim(tenant, contact_id, user_id=user_id)).json()["owner_id"] == user_id


async def test_a_stale_version_claims_nothing(tenant: Tenant, salesperson: Salesperson) -> None:
    contact_id = await pooled(tenant, await a_pool(tenant))
    answer = await salesperson().client.post(f"/v1/contacts/{contact_id}/claim", json={}, headers={"If-Match": '"7"'})
    assert answer.status_code == 412


async def test_the_owner_by_another_hand_counts_too(tenant: Tenant, manager: Tenant) -> None:
    """Whoever gives it to somebody by an ordinary change takes it out of the pool; whoever takes the owner away, puts it back."""
    pool_id, user_id = await a_pool(tenant, return_after_days=30), UserId.new()
    contact_id = await pooled(tenant, pool_id)
    path = f"/v1/contacts/{contact_id}"
    given = (await manager.client.patch(path, json={"owner_id": user_id})).json()
    assert given["returns_at"] is not None
    back = (await manager.client.patch(path, json={"owner_id": None})).json()
    assert back["returns_at"] is None
    assert [(move["kind"], move["user_id"]) for move in back["pool_history"]] == [
        ("assigned", user_id),
        ("released", user_id),
    ]
    unknown = await manager.client.patch(path, json={"pool_id": PoolId.new()})
    assert [fault["code"] for fault in unknown.json()["errors"]] == ["not_found"]


async def test_nobody_slips_a_contact_out_of_its_pool(tenant: Tenant, salesperson: Salesperson) -> None:
    """Otherwise it would count for no limit, and never go back."""
    contact_id, me = await pooled(tenant, await a_pool(tenant)), salesperson()
    await claim(me, contact_id)
    answer = await me.client.patch(f"/v1/contacts/{contact_id}", json={"pool_id": None})
    assert (answer.status_code, answer.json()["missing_permission"]) == (403, "contacts:assign")


async def test_a_pool_with_contacts_stays(tenant: Tenant) -> None:
    pool_id = await a_pool(tenant)
    contact_id = await pooled(tenant, pool_id)
    assert refused(await tenant.client.delete(f"/v1/pools/{pool_id}")) == "pool_in_use"
    await tenant.client.patch(f"/v1/contacts/{contact_id}", json={"pool_id": None})
    assert (await tenant.client.delete(f"/v1/pools/{pool_id}")).status_code == 204


async def test_a_territory_gives_its_team_and_no_owner(tenant: Tenant, salesperson: Salesperson) -> None:
    team_id = TeamId.new()
    where = {"field": "full_name", "op": "eq", "value": "王伟"}
    body = {"name": "x", "resource": "contacts", "where": where, "team_id": team_id, "owner_id": UserId.new()}
    await tenant.create("/v1/territories", **body)
    contact_id, me = await pooled(tenant, await a_pool(tenant)), salesperson()
    contact = await tenant.read(f"/v1/contacts/{contact_id}")
    assert (contact["team_id"], contact["owner_id"]) == (team_id, None)
    assert (await claim(me, contact_id)).status_code == 200
    back = (await release(me, contact_id)).json()
    assert (back["team_id"], back["owner_id"]) == (team_id, None)
    async with asyncio.timeout(60):
        while (await tenant.read("/v1/territories/evaluation"))["pending"]:
            await asyncio.sleep(0.05)
    assert (await tenant.read(f"/v1/contacts/{contact_id}"))["owner_id"] is None


async def test_until_it_is_claimed_it_is_masked_on_every_path(tenant: Tenant, salesperson: Salesperson) -> None:
    pool_id, me = await a_pool(tenant), salesperson()
    secret = {"phones": [{"number": "+8613800138000"}], "emails": [{"address": "wei@example.com"}], "wechat": "wx-wei"}
    contact_id = await pooled(tenant, pool_id, **secret)
    where = {"field": "pool_id", "op": "eq", "value": pool_id}
    answers = [
        await me.client.get(f"/v1/contacts/{contact_id}"),
        await me.client.get("/v1/contacts", params={"pool_id": pool_id, "pooled": "true"}),
        await me.client.post("/v1/contacts/search", json={"where": where}),
        await me.client.get(f"/v1/contacts/{contact_id}/duplicates"),
        await claim(me, contact_id, user_id=UserId.new()),
    ]
    for answer in answers:
        assert not {"13800138000", "wei@example.com", "wx-wei", "王伟"} & set(_texts(answer.json())), answer.text
    assert answers[0].json()["phones"][0]["number"] == "+86138****8000"
    assert answers[0].json()["full_name"] == "王***"
    assert (await me.read("/v1/contacts", phone="+8613800138000"))["data"] == []
    upsert = {"method": "upsert", "match": "phone", "data": {"phones": [{"number": "+8613800138000"}], "title": "x"}}
    (result,) = (await me.client.post("/v1/contacts/batch", json={"operations": [upsert]})).json()["results"]
    assert result.get("id") != contact_id
    assert (await me.client.patch(f"/v1/contacts/{contact_id}", json={"title": "x"})).status_code == 403
    await claim(me, contact_id)
    assert (await me.read(f"/v1/contacts/{contact_id}"))["phones"][0]["number"] == "+8613800138000"
    assert (await salesperson().client.get(f"/v1/contacts/{contact_id}")).status_code == 404


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []
