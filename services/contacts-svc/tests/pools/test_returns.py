"""What nobody works with goes back by itself; what somebody works with stays."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm_contracts.envelope import Event
from crm_contracts.ids import EventId, UserId, new_id
from crm_contracts.registry import CONTACT, DEAL, ORDER, PAYMENT, TICKET, Topic
from crm_testkit.service import ServiceUnderTest, Tenant

Salesperson = Callable[..., Tenant]
Later = Callable[[timedelta], Awaitable[None]]


async def held(tenant: Tenant, by: Tenant, days: int = 30, **members: Any) -> str:
    pool = await tenant.create("/v1/pools", name="公海", return_after_days=days, **members)
    contact = await tenant.create("/v1/contacts", full_name="王伟", pool_id=pool["id"])
    answer = await by.client.post(f"/v1/contacts/{contact['id']}/claim", json={})
    assert answer.status_code == 200, answer.text
    return str(contact["id"])


async def until_owned_by(tenant: Tenant, contact_id: str, owner_id: str | None) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while (contact := await tenant.read(f"/v1/contacts/{contact_id}"))["owner_id"] != owner_id:
            await asyncio.sleep(0.05)
    return contact


async def test_what_nobody_works_with_goes_back(
    service: ServiceUnderTest, tenant: Tenant, salesperson: Salesperson, later: Later
) -> None:
    me = UserId.new()
    contact_id = await held(tenant, salesperson(me), reclaim_after_days=5)
    await later(timedelta(days=29))
    await asyncio.sleep(1.5)
    assert (await tenant.read(f"/v1/contacts/{contact_id}"))["owner_id"] == me
    await later(timedelta(days=1, minutes=1))
    back = await until_owned_by(tenant, contact_id, None)
    move = back["pool_history"][-1]
    assert (move["kind"], move["user_id"], move["actor_id"]) == ("returned", me, "service/contacts")
    assert (back["team_id"], back["returns_at"]) == (None, None)
    events = await service.events(CONTACT.name, key=contact_id, at_least=3)
    assert events[-1].type.split(".")[-2] == "returned"
    again = await salesperson(me).client.post(f"/v1/contacts/{contact_id}/claim", json={})
    assert again.json()["code"] == "claimed_lately"


async def test_an_activity_puts_the_return_off(tenant: Tenant, salesperson: Salesperson, later: Later) -> None:
    me = UserId.new()
    contact_id = await held(tenant, salesperson(me))
    await later(timedelta(days=20))
    before = datetime.fromisoformat((await tenant.read(f"/v1/contacts/{contact_id}"))["returns_at"])
    planned = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    await salesperson(me).create("/v1/activities", kind="call", contact_id=contact_id, at=planned)
    async with asyncio.timeout(30):
        while True:
            returns_at = datetime.fromisoformat((await tenant.read(f"/v1/contacts/{contact_id}"))["returns_at"])
            if returns_at > before:
                break
            await asyncio.sleep(0.05)
    assert timedelta(days=29) < returns_at - datetime.now(UTC) < timedelta(days=31), "what is planned is not done"
    await later(timedelta(days=15))
    await asyncio.sleep(1.5)
    assert (await tenant.read(f"/v1/contacts/{contact_id}"))["owner_id"] == me


async def test_a_change_by_the_owner_puts_it_off_and_one_by_others_does_not(
    tenant: Tenant, salesperson: Salesperson, later: Later
) -> None:
    me = UserId.new()
    contact_id = await held(tenant, salesperson(me))
    await later(timedelta(days=20))
    path = f"/v1/contacts/{contact_id}"
    before = (await tenant.read(path))["returns_at"]
    assert (await tenant.client.patch(path, json={"title": "Buyer"})).json()["returns_at"] == before
    assert (await salesperson(me).client.patch(path, json={"title": "Head"})).json()["returns_at"] > before


async def test_an_activity_of_long_ago_keeps_nothing(tenant: Tenant, salesperson: Salesperson, later: Later) -> None:
    me = UserId.new()
    contact_id = await held(tenant, salesperson(me))
    await later(timedelta(days=29))
    old = (datetime.now(UTC) - timedelta(days=25)).isoformat()
    await salesperson(me).create("/v1/activities", kind="call", contact_id=contact_id, at=old)
    await later(timedelta(days=2))
    assert (await until_owned_by(tenant, contact_id, me))["owner_id"] == me
    await later(timedelta(days=5))
    await until_owned_by(tenant, contact_id, None)


@pytest.mark.parametrize("topic", [DEAL, ORDER, PAYMENT, TICKET], ids=lambda topic: topic.entity)
async def test_what_other_services_tell_of_puts_it_off_however_often_it_is_told(
    service: ServiceUnderTest, tenant: Tenant, salesperson: Salesperson, later: Later, topic: Topic
) -> None:
    contact_id = await held(tenant, salesperson())
    path = f"/v1/contacts/{contact_id}"
    await later(timedelta(days=20))
    before = await tenant.read(path)
    now = datetime.now(UTC)
    told = Event(
        id=EventId.new(),
        source=f"/relata/{topic.service}",
        type=topic.event_type("created"),
        subject=new_id(topic.entity),
        time=now,
        tenant_id=tenant.id,
        sequence=1,
        entity={"contact_id": contact_id},
    )
    past = replace(told, id=EventId.new(), subject=new_id(topic.entity), time=now - timedelta(days=300))
    await service.publish(*((topic.name, event) for event in (past, told, told, past)))
    async with asyncio.timeout(30):
        while (after := await tenant.read(path))["version"] == before["version"]:
            await asyncio.sleep(0.05)
    assert datetime.fromisoformat(after["returns_at"]) == now + timedelta(days=30)
    await asyncio.sleep(0.5)
    assert await tenant.read(path) == after


async def test_a_thousand_go_back_at_once_each_once(service: ServiceUnderTest, tenant: Tenant, later: Later) -> None:
    def system() -> Tenant:
        """With a token that is good for a minute from now."""
        return service.tenant(tenant.id)

    pool = await tenant.create("/v1/pools", name="公海", return_after_days=30)
    data = {"full_name": "王伟", "pool_id": pool["id"], "owner_id": UserId.new()}
    for _ in range(5):
        operations = [{"method": "create", "data": data}] * 200
        answer = await system().client.post("/v1/contacts/batch", json={"operations": operations})
        assert {result["status"] for result in answer.json()["results"]} == {201}
    await later(timedelta(days=31))
    async with asyncio.timeout(120):
        while (await system().read("/v1/contacts", pool_id=pool["id"], pooled="false", limit=1))["data"]:
            await asyncio.sleep(0.5)
    cursor: str | None = ""
    found = []
    while cursor is not None:
        asked = {"cursor": cursor} if cursor else {}
        page = await system().read("/v1/contacts", pool_id=pool["id"], limit=200, **asked)
        found += [(one["version"], len(one["pool_history"])) for one in page["data"]]
        cursor = page["next_cursor"]
    assert found == [(2, 1)] * 1000
