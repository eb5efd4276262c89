"""What a rule takes, when, and what it tells of it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Grant
from crm_testkit.passing_time import let_pass
from crm_testkit.service import ServiceUnderTest, Tenant

Days = Callable[[float], Awaitable[None]]
Rule = Callable[..., Awaitable[dict[str, Any]]]
RULES, HOLDS = "/v1/retention-rules", "/v1/legal-holds"
EVERYTHING: dict[str, Any] = dict.fromkeys(("open", "personal", "commercial", "private"), "write")
MASKED: dict[str, Any] = {"open": "write", "personal": "masked"}


def soon(days: float = 1) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


async def contact(tenant: Tenant, name: str = "王伟", **members: Any) -> str:
    return str((await tenant.create("/v1/contacts", full_name=name, **members))["id"])


async def fate(tenant: Tenant, contact_id: str) -> str:
    answer = await tenant.client.get(f"/v1/contacts/{contact_id}")
    if answer.status_code != 200:
        return str(answer.json()["code"])
    return "archived" if answer.json()["archived_at"] is not None else "there"


async def runs(tenant: Tenant, rule: dict[str, Any]) -> list[dict[str, Any]]:
    return list((await tenant.read(f"{RULES}/{rule['id']}/runs"))["data"])


@pytest.mark.parametrize(
    ("action", "expected"), [("erase", "erased"), ("delete", "not_found"), ("archive", "archived")]
)
async def test_what_is_old_enough_is_taken_and_nothing_before(
    tenant: Tenant, rule: Rule, days: Days, action: str, expected: str
) -> None:
    old = await contact(tenant)
    await days(25)
    young = await contact(tenant)
    made = await rule(action=action)
    assert made["last_run"] is None
    await days(6.5)
    assert await fate(tenant, old) == "there", "it is due, and the rule does not count yet"
    await days(1)
    assert (await fate(tenant, old), await fate(tenant, young)) == (expected, "there")
    await days(31)
    assert await fate(tenant, young) == expected
    found = await tenant.read(f"{RULES}/{made['id']}")
    assert (found["last_run"]["done"], found["last_run"]["status"]) == (1, "succeeded")
    assert [run["done"] for run in await runs(tenant, made)] == [1, 1]


async def test_each_is_counted_from_what_the_rule_names(tenant: Tenant, rule: Rule, days: Days) -> None:
    idle, active, agreed, changed, ordered = [await contact(tenant, name) for name in "abcde"]
    await days(20)
    await tenant.create("/v1/activities", kind="call", contact_id=active)
    consent = {"channel": "email", "purpose": "news", "status": "granted", "source": "form"}
    await tenant.create(f"/v1/contacts/{agreed}/consents", **consent)
    await tenant.client.patch(f"/v1/contacts/{changed}", json={"title": "经理"})
    await rule(counted_from="last_activity_at", action="archive")
    await days(15)
    fates = [await fate(tenant, each) for each in (idle, active, agreed, changed)]
    assert fates == ["archived", "there", "there", "archived"]
    await days(16)
    assert {await fate(tenant, each) for each in (active, agreed, ordered)} == {"archived"}


async def test_what_other_services_tell_is_activity(
    service: ServiceUnderTest, tenant: Tenant, rule: Rule, days: Days, database: asyncpg.Connection
) -> None:
    one, other = await contact(tenant), await contact(tenant)
    await days(20)
    await database.execute(
        "insert into last_activity (tenant_id, contact_id, last_at) values ($1, $2, now())", tenant.id, one
    )
    await rule(counted_from="last_activity_at")
    await days(15)
    assert (await fate(tenant, one), await fate(tenant, other)) == ("there", "not_found")


async def test_first_archived_then_erased(tenant: Tenant, rule: Rule, days: Days) -> None:
    one = await contact(tenant)
    await rule(action="archive")
    await rule(action="erase", counted_from="archived_at", after_days=10)
    await days(31)
    assert await fate(tenant, one) == "archived"
    await days(9)
    assert await fate(tenant, one) == "archived"
    await days(2)
    assert await fate(tenant, one) == "erased"


async def test_a_condition_narrows_and_archived_ones_are_stored_too(tenant: Tenant, rule: Rule, days: Days) -> None:
    fair, web, put_away = [await contact(tenant, source=source) for source in ("fair", "web", "fair")]
    await tenant.client.post(f"/v1/contacts/{put_away}/archive")
    await rule(where={"field": "source", "op": "eq", "value": "fair"})
    await days(31)
    assert [await fate(tenant, each) for each in (fair, web, put_away)] == ["not_found", "there", "not_found"]


@pytest.mark.parametrize("action", ["erase", "delete"])
async def test_activities_have_rules_of_their_own(
    service: ServiceUnderTest, tenant: Tenant, rule: Rule, days: Days, action: str
) -> None:
    one = await contact(tenant)
    old = await tenant.create("/v1/activities", kind="call", subject="secret", contact_id=one)
    await rule(resource="activities", counted_from="at", action=action)
    await days(25)
    young = await tenant.create("/v1/activities", kind="call", contact_id=one)
    await days(6)
    assert [each["id"] for each in (await tenant.read("/v1/activities"))["data"]] == [young["id"]]
    gone = [event for event in await service.events("crm.contacts.activity", key=old["id"]) if event.deleted]
    assert any(event.erased for event in gone) == (action == "erase")
    assert any(event.entity is not None for event in gone) == (action == "delete")


async def test_a_new_rule_waits_a_week_and_never_less_than_a_day(tenant: Tenant, rule: Rule) -> None:
    made = await rule()
    notice = datetime.fromisoformat(made["effective_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < notice <= timedelta(days=7)
    body = {"resource": "contacts", "counted_from": "created_at", "after_days": 30, "action": "delete"}
    for at in (soon(0.5), soon(-1)):
        answer = await tenant.client.post(RULES, json={"name": "x", "reason": "x", **body, "effective_at": at})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/effective_at"), answer.text
    assert (await rule(effective_at=soon(1)))["effective_at"]


async def test_what_widens_a_rule_is_noticed_anew_and_what_narrows_it_is_not(
    tenant: Tenant, rule: Rule, days: Days
) -> None:
    made = await rule()
    path = f"{RULES}/{made['id']}"
    await days(10)
    before = (await tenant.read(path))["effective_at"]
    for narrower in ({"after_days": 40}, {"where": {"field": "source", "op": "eq", "value": "x"}}, {"name": "y"}):
        answer = await tenant.client.patch(path, json=narrower)
        assert answer.json()["effective_at"] == before, answer.text
    for wider in ({"after_days": 35}, {"where": None}, {"action": "erase"}, {"counted_from": "updated_at"}):
        await days(10)
        answer = await tenant.client.patch(path, json=wider)
        notice = datetime.fromisoformat(answer.json()["effective_at"]) - datetime.now(UTC)
        assert notice > timedelta(days=6), (wider, answer.text)
    await tenant.client.patch(path, json={"active": False})
    await days(10)
    again = (await tenant.client.patch(path, json={"active": True})).json()
    assert datetime.fromisoformat(again["effective_at"]) > datetime.now(UTC) + timedelta(days=6)


async def test_a_fault_is_pointed_at_where_it_stands(tenant: Tenant) -> None:
    body = {"resource": "contacts", "counted_from": "created_at", "after_days": 30, "action": "delete"}
    unknown = {"any": [{"field": "nope", "op": "eq", "value": 1}]}
    for path, more in ((f"{RULES}/preview", {}), (RULES, {"name": "x", "reason": "x"})):
        answer = await tenant.client.post(path, json={**body, **more, "where": unknown})
        assert [each["pointer"] for each in answer.json()["errors"]] == ["/where/any/0/field"], answer.text
    wrong: tuple[dict[str, Any], ...] = (
        {"resource": "activities", "action": "archive"},
        {"resource": "activities", "counted_from": "archived_at"},
        {"counted_from": "at"},
        {"after_days": 0},
    )
    for members in wrong:
        answer = await tenant.client.post(RULES, json={**body, "name": "x", "reason": "x", **members})
        assert answer.status_code == 422, answer.text


async def test_a_slip_is_taken_back_in_time(tenant: Tenant, rule: Rule, days: Days) -> None:
    one = await contact(tenant)
    await days(60)
    made = await rule()
    await days(6)
    assert (await tenant.client.delete(f"{RULES}/{made['id']}")).status_code == 204
    off = await rule()
    await tenant.client.patch(f"{RULES}/{off['id']}", json={"active": False})
    await days(20)
    assert await fate(tenant, one) == "there"


async def test_what_it_would_take_is_shown_and_what_it_leaves(tenant: Tenant, rule: Rule, days: Days) -> None:
    old, held = await contact(tenant), await contact(tenant)
    await tenant.create(HOLDS, contact_id=held, reason="117/2026")
    await days(29)
    asked = {"resource": "contacts", "counted_from": "created_at", "after_days": 20, "action": "erase"}
    shown = (await tenant.client.post(f"{RULES}/preview", json=asked)).json()
    assert shown["found"] == {"count": 2, "kind": "exact"}
    assert {one["id"]: one["left_for"] for one in shown["sample"]} == {old: [], held: ["legal_hold"]}
    made = await rule()
    due = await tenant.read(f"{RULES}/{made['id']}/due", limit=1)
    assert [one["id"] for one in due["data"]] == [old]
    rest = await tenant.read(f"{RULES}/{made['id']}/due", limit=1, cursor=due["next_cursor"])
    assert [(one["id"], one["left_for"]) for one in rest["data"]] == [(held, ["legal_hold"])]
    now = await tenant.read(f"{RULES}/{made['id']}/due", by=soon(-1))
    assert (now["data"], now["next_cursor"]) == ([], None)
    assert await fate(tenant, old) == "there", "showing does nothing"


async def test_who_does_not_see_everything_makes_no_rule(service: ServiceUnderTest, tenant: Tenant, rule: Rule) -> None:
    await contact(tenant)
    body = {"name": "x", "reason": "x", "resource": "contacts", "counted_from": "created_at", "after_days": 1}
    every: Any = frozenset(ACTIONS)
    for grants in (
        [Grant(frozenset({"*"}), every, "team", EVERYTHING)],
        [Grant(frozenset({"*"}), every, "all", MASKED)],
        [Grant(frozenset({"*"}), every, "all", EVERYTHING, {"field": "source", "op": "eq", "value": "x"})],
        [Grant(frozenset({"*"}), frozenset({"read", "create"}), "all", EVERYTHING)],
    ):
        other = service.tenant(tenant.id, rights=Rights(UserId.new(), (), grants, admin=False))
        answer = await other.client.post(RULES, json={**body, "action": "erase"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), answer.text
    whole = [Grant(frozenset({"*"}), every, "all", EVERYTHING)]
    officer = service.tenant(tenant.id, rights=Rights(UserId.new(), (), whole, admin=False))
    assert (await officer.client.post(RULES, json={**body, "action": "erase"})).status_code == 201


async def test_nobody_is_shown_whom_they_do_not_see(
    service: ServiceUnderTest, tenant: Tenant, rule: Rule, days: Days
) -> None:
    me = UserId.new()
    mine, _ = await contact(tenant, owner_id=me), await contact(tenant)
    await days(60)
    made = await rule()
    own = [Grant(frozenset({"contacts", "legal-holds"}), frozenset({"read"}), "own", EVERYTHING),
           Grant(frozenset({"retention-rules"}), frozenset({"read"}), "all", EVERYTHING)]  # fmt: skip
    somebody = service.tenant(tenant.id, rights=Rights(me, (), own, admin=False))
    due = await somebody.read(f"{RULES}/{made['id']}/due")
    assert [one["id"] for one in due["data"]] == [mine]
    asked = {"resource": "contacts", "counted_from": "created_at", "after_days": 20, "action": "erase"}
    shown = (await somebody.client.post(f"{RULES}/preview", json=asked)).json()
    assert (shown["found"]["count"], [one["id"] for one in shown["sample"]]) == (1, [mine])
    blind = service.tenant(tenant.id, rights=Rights(me, (), own[1:], admin=False))
    for answer in (
        await blind.client.get(f"{RULES}/{made['id']}/due"),
        await blind.client.post(f"{RULES}/preview", json=asked),
    ):
        assert answer.status_code == 403
    stranger = service.tenant()
    for path in ("", "/due", "/runs"):
        assert (await stranger.client.get(f"{RULES}/{made['id']}{path}")).status_code == 404


async def test_what_a_rule_did_is_told_with_its_name(tenant: Tenant, rule: Rule, days: Days) -> None:
    gone, erased = await contact(tenant, source="a"), await contact(tenant, source="b")
    delete = await rule(where={"field": "source", "op": "eq", "value": "a"})
    erase = await rule(where={"field": "source", "op": "eq", "value": "b"}, action="erase", reason="PIPL 47")
    await days(31)
    assert (await fate(tenant, gone), await fate(tenant, erased)) == ("not_found", "erased")
    [run] = await runs(tenant, delete)

    async def entries(**wanted: str) -> list[dict[str, Any]]:
        async with asyncio.timeout(30):
            while not (found := (await tenant.read("/internal/audit-log", **wanted))["data"]):
                await asyncio.sleep(0.05)
        return list(found)

    [told] = [each for each in await entries(entity_id=gone) if each["action"] == "deleted"]
    assert (told["actor"], told["via"], told["request_id"]) == (delete["id"], "timer", run["id"])
    [request] = (await tenant.read("/v1/privacy-requests", contact_id=erased))["data"]
    assert (request["kind"], request["requested_by"], request["reason"]) == ("erasure", erase["id"], "PIPL 47")
    assert request["job_id"] is None


async def test_it_goes_on_page_by_page_until_all_is_done(tenant: Tenant, rule: Rule, days: Days) -> None:
    operations = [{"method": "create", "data": {"full_name": f"王{n}"}} for n in range(350)]
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    assert answer.status_code == 200, answer.text
    made = await rule()
    await days(31)
    [run] = await runs(tenant, made)
    assert (run["done"], run["failed"], run["held"]) == (350, 0, 0)
    assert (await tenant.read("/v1/contacts"))["data"] == []


async def test_a_field_that_a_rule_names_stays_declared(tenant: Tenant, rule: Rule) -> None:
    declared = await tenant.create(
        "/v1/custom-fields", resource="contacts", name="kept_until", label={"en": "Kept"}, type="date"
    )
    made = await rule(where={"field": "custom.kept_until", "op": "exists", "value": False})
    answer = await tenant.client.delete(f"/v1/custom-fields/{declared['id']}")
    assert (answer.status_code, answer.json()["retention_rule_ids"]) == (409, [made["id"]])


async def test_a_rule_that_is_changed_in_the_middle_begins_anew(
    service: ServiceUnderTest, tenant: Tenant, rule: Rule, days: Days, database: asyncpg.Connection
) -> None:
    one = await contact(tenant)
    made = await rule()
    await days(7.5)
    assert len(await runs(tenant, made)) == 1
    await database.execute("update retention_run set status = 'running', finished_at = null")
    await tenant.client.patch(f"{RULES}/{made['id']}", json={"after_days": 60})
    assert [run["status"] for run in await runs(tenant, made)][-1] == "stopped"
    await let_pass(service.urls.app, tenant.id, timedelta(days=25))
    assert await fate(tenant, one) == "there"
