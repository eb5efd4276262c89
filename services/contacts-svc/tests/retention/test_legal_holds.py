"""What is on hold nobody takes away, until the hold is over."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Grant
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.writers import until

Days = Callable[[float], Awaitable[None]]
Rule = Callable[..., Awaitable[dict[str, Any]]]
HOLDS, REQUESTS = "/v1/legal-holds", "/v1/privacy-requests"
EVERYTHING: dict[str, Any] = dict.fromkeys(("open", "personal", "commercial", "private"), "write")


async def contact(tenant: Tenant) -> str:
    return str((await tenant.create("/v1/contacts", full_name="李娜"))["id"])


async def test_neither_deletion_nor_erasure_reaches_it(tenant: Tenant) -> None:
    one = await contact(tenant)
    activity = await tenant.create("/v1/activities", kind="call", contact_id=one)
    hold = await tenant.create(HOLDS, contact_id=one, reason="(2026)浙0106民初117号")
    assert (hold["until"], hold["placed_by"], hold["released_at"]) == (None, "key_test", None)
    erasure = {"kind": "erasure", "contact_id": one}
    for answer in (
        await tenant.client.delete(f"/v1/contacts/{one}"),
        await tenant.client.delete(f"/v1/activities/{activity['id']}"),
        await tenant.client.post(REQUESTS, json=erasure),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "on_legal_hold"), answer.text
        assert answer.json()["legal_hold_ids"] == [hold["id"]]
    assert (await tenant.read("/v1/activities"))["data"] != []
    assert (await tenant.read(REQUESTS))["data"] == []
    assert (await tenant.client.patch(f"/v1/contacts/{one}", json={"title": "经理"})).status_code == 200
    released = (await tenant.client.post(f"{HOLDS}/{hold['id']}/release")).json()
    assert released["released_by"] == "key_test"
    again = await tenant.client.post(f"{HOLDS}/{hold['id']}/release")
    assert (again.status_code, again.json()["code"]) == (409, "legal_hold_released")
    assert (await tenant.client.post(REQUESTS, json=erasure)).status_code == 201
    assert (await tenant.read(REQUESTS))["data"] != []


async def test_in_bulk_it_is_left_and_told(tenant: Tenant) -> None:
    one, other = await contact(tenant), await contact(tenant)
    await tenant.create(HOLDS, contact_id=one, reason="x")
    made = await tenant.create("/v1/bulk-changes", resource="contacts", ids=[one, other], action="delete")
    found = await ended(tenant.client, f"/v1/bulk-changes/{made['id']}")
    assert (found["changed"], found["failed"]) == (1, 1)
    [failure] = (await tenant.read(f"/v1/bulk-changes/{made['id']}/failures"))["data"]
    assert (failure["id"], failure["problem"]["code"]) == (one, "on_legal_hold")


@pytest.mark.parametrize("action", ["erase", "archive", "delete"])
async def test_no_rule_touches_it_until_it_is_over(tenant: Tenant, rule: Rule, days: Days, action: str) -> None:
    one = await contact(tenant)
    end = (datetime.now(UTC) + timedelta(days=40)).isoformat()
    await tenant.create(HOLDS, contact_id=one, reason="x", until=end)
    made = await rule(action=action)
    before = await tenant.read(f"/v1/contacts/{one}")
    await days(35)
    assert (await tenant.read(f"/v1/contacts/{one}"))["version"] == before["version"]
    assert (await tenant.read(f"/v1/retention-rules/{made['id']}"))["last_run"]["held"] == 1
    await days(6)
    found = await tenant.client.get(f"/v1/contacts/{one}")
    assert found.status_code in (404, 410) or found.json()["archived_at"] is not None


async def test_what_is_logged_of_it_stays_with_it(tenant: Tenant, rule: Rule, days: Days) -> None:
    one = await contact(tenant)
    await tenant.create("/v1/activities", kind="call", contact_id=one)
    await tenant.create(HOLDS, contact_id=one, reason="x")
    made = await rule(resource="activities", counted_from="at")
    await days(31)
    assert len((await tenant.read("/v1/activities"))["data"]) == 1
    assert (await tenant.read(f"/v1/retention-rules/{made['id']}"))["last_run"]["held"] == 1


async def test_it_stands_on_the_person_whatever_is_merged(tenant: Tenant, rule: Rule, days: Days) -> None:
    into, taken, later = await contact(tenant), await contact(tenant), await contact(tenant)
    hold = await tenant.create(HOLDS, contact_id=taken, reason="x")
    await tenant.create(f"/v1/contacts/{into}/merge", **{"from": [taken]})
    await tenant.create(f"/v1/contacts/{later}/merge", **{"from": [into]})
    for answer in (
        await tenant.client.delete(f"/v1/contacts/{later}"),
        await tenant.client.post(REQUESTS, json={"kind": "erasure", "contact_id": later}),
    ):
        assert answer.json().get("legal_hold_ids") == [hold["id"]], answer.text
    await rule(action="erase")
    await days(31)
    assert (await tenant.client.get(f"/v1/contacts/{later}")).status_code == 200


async def test_a_hold_goes_with_whoever_is_erased(service: ServiceUnderTest, tenant: Tenant) -> None:
    one = await contact(tenant)
    hold = await tenant.create(HOLDS, contact_id=one, reason="secret")
    await tenant.client.post(f"{HOLDS}/{hold['id']}/release")
    await tenant.create(REQUESTS, kind="erasure", contact_id=one)

    async def gone() -> bool:
        return (await tenant.client.get(f"{HOLDS}/{hold['id']}")).status_code == 404

    await until(gone)


async def test_a_hold_is_on_a_contact_that_is_there_and_ends_after_now(tenant: Tenant) -> None:
    one = await contact(tenant)
    for body, pointer in (
        ({"contact_id": "contact_01jd3zq8w9e2vbx7k5m4n6p8qr", "reason": "x"}, "/contact_id"),
        ({"contact_id": one, "reason": "x", "until": "2020-01-01T00:00:00Z"}, "/until"),
        ({"contact_id": one, "reason": " "}, "/reason"),
    ):
        answer = await tenant.client.post(HOLDS, json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), answer.text
    hold = await tenant.create(HOLDS, contact_id=one, reason="x")
    other = await contact(tenant)
    moved = await tenant.client.patch(f"{HOLDS}/{hold['id']}", json={"contact_id": other})
    assert (moved.status_code, moved.json()["errors"][0]["code"]) == (422, "fixed")
    assert (await tenant.client.delete(f"{HOLDS}/{hold['id']}")).status_code == 405


async def test_who_may_not_read_holds_is_not_told_which(service: ServiceUnderTest, tenant: Tenant) -> None:
    one = await contact(tenant)
    await tenant.create(HOLDS, contact_id=one, reason="x")
    grant = Grant(frozenset({"contacts"}), frozenset(ACTIONS), "all", EVERYTHING)
    somebody = service.tenant(tenant.id, rights=Rights(UserId.new(), (), [grant], admin=False))
    answer = await somebody.client.delete(f"/v1/contacts/{one}")
    assert (answer.status_code, "legal_hold_ids" in answer.json()) == (409, False)
