"""Dates are told of when they come due: once, whatever happens in between."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from contacts_svc.features.date_reminders.rules import BATCH, KEPT_DAYS, due_at
from crm_contracts.ids import UserId
from crm_contracts.registry import DATE_OCCURRENCE
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Grant
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.writers import until

Json = dict[str, Any]
Days = Callable[[str, int], Awaitable[None]]
Through = Callable[[str], Awaitable[None]]
REMINDERS, OCCURRENCES = "/v1/date-reminders", "/v1/date-occurrences"


async def _remind(tenant: Tenant, **body: Any) -> str:
    """From midnight on, so that today is due at once."""
    written = {"name": "生日", "field": "birthday", "at": "00:00", "time_zone": "UTC", **body}
    return str((await tenant.create(REMINDERS, **written))["id"])


async def _born(tenant: Tenant, birthday: date, **members: Any) -> str:
    body = {"full_name": "王伟", "birthday": birthday.isoformat(), **members}
    return str((await tenant.create("/v1/contacts", **body))["id"])


async def _told(tenant: Tenant, **params: Any) -> list[Json]:
    data: list[Json] = (await tenant.read(OCCURRENCES, limit=200, **params))["data"]
    return data


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


async def _declare(tenant: Tenant, resource: str, name: str = "renewal", kind: str = "date") -> Json:
    body = {"resource": resource, "name": name, "label": {"zh": "续约日"}, "type": kind}
    return await tenant.create("/v1/custom-fields", **body)


async def test_a_birthday_is_told_of_some_days_before_it_and_once(
    service: ServiceUnderTest, tenant: Tenant, through: Through, today: date
) -> None:
    in_a_week = today + timedelta(days=7)
    due = await _born(tenant, _years_before(in_a_week, 40))
    for other in (_years_before(today, 40), _years_before(in_a_week + timedelta(days=1), 3)):
        await _born(tenant, other)
    reminder = await _remind(tenant, days_before=7)
    await through(reminder)
    [told] = await _told(tenant)
    assert (told["reminder_id"], told["contact_id"], told["account_id"]) == (reminder, due, None)
    assert (told["field"], told["occurs_on"]) == ("birthday", in_a_week.isoformat())
    assert datetime.fromisoformat(told["due_at"]) == due_at(today, "00:00", "UTC")
    # Changes make it begin again with today, and what was told stays told.
    for patch in ({"name": "提前一周"}, {"days_before": 6}, {"days_before": 7}, {"active": False}, {"active": True}):
        assert (await tenant.client.patch(f"{REMINDERS}/{reminder}", json=patch)).status_code == 200
        await through(reminder)
    assert [each["contact_id"] for each in await _told(tenant, occurs_on=in_a_week.isoformat())] == [due]
    events = await service.events(DATE_OCCURRENCE.name, key=told["id"])
    assert [event.type for event in events] == ["crm.contacts.date_occurrence.came_due.v1"]


async def test_days_on_which_nobody_worked_are_made_up_for(
    tenant: Tenant, days_ago: Days, through: Through, today: date
) -> None:
    born = [await _born(tenant, _years_before(today - timedelta(days=n), 30)) for n in range(4)]
    reminder = await _remind(tenant)
    await through(reminder)
    assert [each["contact_id"] for each in await _told(tenant)] == born[:1]
    await days_ago(reminder, 4)
    told = sorted(await _told(tenant), key=lambda each: each["due_at"])
    assert [each["contact_id"] for each in told] == born[::-1]
    assert [each["due_at"][:10] for each in told] == [each["occurs_on"] for each in told]
    assert [each["created_at"] for each in told[:3]] == sorted(each["created_at"] for each in told[:3])
    await days_ago(reminder, 3)  # as if it had died with all of it to do once more
    assert len(await _told(tenant)) == 4


async def test_a_date_that_is_changed_comes_due_when_it_is_then(
    tenant: Tenant, days_ago: Days, through: Through, today: date
) -> None:
    tomorrow = today + timedelta(days=1)
    contact = await _born(tenant, _years_before(tomorrow, 30))
    reminder = await _remind(tenant)
    await through(reminder)
    assert await _told(tenant) == []
    patch = {"birthday": _years_before(today, 30).isoformat()}
    assert (await tenant.client.patch(f"/v1/contacts/{contact}", json=patch)).status_code == 200
    await days_ago(reminder, 1)
    assert [each["occurs_on"] for each in await _told(tenant)] == [today.isoformat()]


async def test_dates_of_custom_fields_of_contacts_and_accounts(tenant: Tenant, through: Through, today: date) -> None:
    in_a_month = today + timedelta(days=30)
    last_year = _years_before(in_a_month, 1)
    made: dict[str, list[str]] = {}
    for resource, names in (("contacts", {"full_name": "王伟"}), ("accounts", {"name": "云帆"})):
        await _declare(tenant, resource)
        made[resource] = [
            (await tenant.create(f"/v1/{resource}", **names, custom={"renewal": day.isoformat()}))["id"]
            for day in (in_a_month, last_year, today)
        ]
    once = await _remind(tenant, resource="accounts", field="custom.renewal", repeats="once", days_before=30)
    yearly = await _remind(tenant, field="custom.renewal", days_before=30)
    for reminder in (once, yearly):
        await through(reminder)
    assert [each["account_id"] for each in await _told(tenant, reminder_id=once)] == made["accounts"][:1]
    told = await _told(tenant, reminder_id=yearly)
    assert {each["contact_id"] for each in told} == set(made["contacts"][:2])
    assert {each["occurs_on"] for each in told} == {in_a_month.isoformat()}


async def test_of_more_than_are_told_at_once_each_is_told_once(tenant: Tenant, through: Through, today: date) -> None:
    birthday = _years_before(today, 20).isoformat()
    born = [{"method": "create", "data": {"full_name": f"P {n}", "birthday": birthday}} for n in range(BATCH * 2 + 3)]
    made = await tenant.client.post("/v1/contacts/batch", json={"operations": born})
    reminder = await _remind(tenant)
    await through(reminder)
    page, told = await tenant.read(OCCURRENCES, limit=200), []
    while True:
        told += [each["contact_id"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        page = await tenant.read(OCCURRENCES, limit=200, cursor=page["next_cursor"])
    assert sorted(told) == sorted(each["id"] for each in made.json()["results"])


async def test_what_is_not_active_tells_nothing(tenant: Tenant, through: Through, today: date) -> None:
    await _born(tenant, _years_before(today, 20))
    resting = await _remind(tenant, active=False)
    running = await _remind(tenant, name="other")
    for reminder in (running, resting):
        await through(reminder)
    assert {each["reminder_id"] for each in await _told(tenant)} == {running}


async def test_what_was_told_is_forgotten_in_time_and_with_its_reminder(
    service: ServiceUnderTest,
    tenant: Tenant,
    through: Through,
    days_ago: Days,
    database: asyncpg.Connection,
    today: date,
) -> None:
    contact = await _born(tenant, _years_before(today, 20))
    reminder = await _remind(tenant)
    await through(reminder)
    [old] = await _told(tenant)
    await database.execute("update date_occurrence set occurs_on = occurs_on - $1::int", KEPT_DAYS + 1)
    await days_ago(reminder, 1)
    [new] = await _told(tenant)
    assert new["id"] != old["id"]
    assert (await tenant.client.delete(f"{REMINDERS}/{reminder}")).status_code == 204

    async def is_gone() -> bool:
        return not await _told(tenant, contact_id=contact)

    await until(is_gone)
    for told in (old, new):
        events = await service.events(DATE_OCCURRENCE.name, key=told["id"], at_least=3)
        assert [(event.deleted, event.entity is None) for event in events] == [
            (False, False),
            (True, False),
            (True, True),
        ]


async def test_what_was_told_of_a_merged_contact_is_told_of_the_one_that_is_left(
    tenant: Tenant, through: Through, today: date
) -> None:
    gone, left = (
        await _born(tenant, _years_before(today, 20)),
        str((await tenant.create("/v1/contacts", full_name="王"))["id"]),
    )
    reminder = await _remind(tenant)
    await through(reminder)
    [told] = await _told(tenant)
    made = await tenant.client.post(f"/v1/contacts/{left}/merge", json={"from": [gone]})

    async def is_of(contact: str) -> bool:
        return bool((await tenant.read(f"{OCCURRENCES}/{told['id']}"))["contact_id"] == contact)

    await until(lambda: is_of(left))
    assert (await tenant.client.post(f"/v1/merges/{made.json()['merge']['id']}/undo")).status_code == 200
    await until(lambda: is_of(gone))


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"time_zone": "Asia/Peking"}, "/time_zone", "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone", "time_zone"),
        ({"field": "custom.nothing"}, "/field", "unknown_field"),
        ({"field": "custom.level"}, "/field", "unknown_field"),
        ({"resource": "accounts"}, "", "birthday_of_account"),
        ({"at": "24:00"}, "/at", None),
        ({"days_before": 366}, "/days_before", None),
        ({"field": "created_at"}, "/field", None),
    ],
)
async def test_what_makes_no_sense_is_refused(tenant: Tenant, body: Json, pointer: str, code: str | None) -> None:
    await _declare(tenant, "contacts", "level", "text")
    written = {"name": "x", "field": "birthday", "time_zone": "UTC", **body}
    answer = await tenant.client.post(REMINDERS, json=written)
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["pointer"] == pointer
    assert code in (None, fault["code"])


async def test_a_field_does_not_go_while_a_reminder_names_it(tenant: Tenant) -> None:
    field = await _declare(tenant, "contacts")
    reminder = await _remind(tenant, field="custom.renewal")
    refused = await tenant.client.delete(f"/v1/custom-fields/{field['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "custom_field_in_use")
    assert refused.json()["date_reminder_ids"] == [reminder]
    assert (await tenant.client.delete(f"{REMINDERS}/{reminder}")).status_code == 204
    assert (await tenant.client.delete(f"/v1/custom-fields/{field['id']}")).status_code == 204


async def test_nobody_is_told_of_whom_they_do_not_see(
    service: ServiceUnderTest, tenant: Tenant, through: Through, today: date
) -> None:
    me: UserId = UserId.new()
    mine = await _born(tenant, _years_before(today, 20), owner_id=me)
    theirs = await _born(tenant, _years_before(today, 30), owner_id=UserId.new())
    reminder = await _remind(tenant)
    await through(reminder)
    assert {each["contact_id"] for each in await _told(tenant)} == {mine, theirs}
    fields: Any = {"open": "read"}
    grant = Grant(frozenset({"contacts", "date-occurrences"}), frozenset(ACTIONS), "own", fields)
    i = service.tenant(tenant.id, rights=Rights(me, (), [grant], admin=False))
    [seen] = await _told(i)
    assert (seen["contact_id"], seen["redacted"]) == (mine, ["occurs_on"])
    assert await _told(service.tenant()) == []
