"""What can be done with a reminder, and what comes of it day by day."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from crm_contracts.dates import DatedResource, DateReminder
from crm_contracts.ids import DateOccurrenceId, DateReminderId
from crm_kit.conditions import FieldType
from crm_kit.db.locks import lock_keys
from crm_kit.db.rows import new_row
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.resources import Resource
from crm_kit.timers import set_timer

from contacts_svc.features.accounts.resource import ACCOUNTS
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.date_occurrences.events import DATE_OCCURRENCE_EVENTS
from contacts_svc.features.date_occurrences.models import DateOccurrenceRow
from contacts_svc.features.date_reminders import repository, rules
from contacts_svc.features.date_reminders.errors import TooManyDateReminders
from contacts_svc.features.date_reminders.events import DATE_REMINDER_EVENTS
from contacts_svc.features.date_reminders.models import DateReminderRow
from contacts_svc.features.date_reminders.rules import BATCH, KEPT_DAYS, MAX_REMINDERS, REMINDER
from contacts_svc.features.date_reminders.schemas import DateReminderWrite
from contacts_svc.features.declaring.repository import declared_for

_RESOURCES: Final[Mapping[DatedResource, Resource[Any, Any, Any]]] = {"contacts": CONTACTS, "accounts": ACCOUNTS}


class Step(NamedTuple):
    """How far a reminder has come: of a local `day` the records beyond `after` are next, or what is to be forgotten then."""

    day: date
    after: str = ""
    phase: Literal["tell", "forget"] = "tell"


async def create_reminder(session: WriteSession, data: DateReminderWrite, _caller: Principal) -> DateReminder:
    """Raises ValidationFailed, TooManyDateReminders."""
    row = DateReminderRow(id=DateReminderId.new(), **data.model_dump())
    await _check_field(session, data)
    await lock_keys(session, "date_reminders", [""])
    if await repository.count(session) >= MAX_REMINDERS:
        raise TooManyDateReminders(members={"limit": MAX_REMINDERS})
    reminder = await DATE_REMINDER_EVENTS.created(session, row)
    await _begin(session, row)
    return reminder


async def update_reminder(
    session: WriteSession, row: DateReminderRow, data: DateReminderWrite, _caller: Principal
) -> None:
    """Counts from today on, and for days that are still to be made up for. What was told of a day of a record is not told
    again. Raises ValidationFailed.
    """
    before = DATE_REMINDER_EVENTS.snapshot(row)
    for name, value in data.model_dump().items():
        setattr(row, name, value)
    await _check_field(session, data)
    if await DATE_REMINDER_EVENTS.updated(session, row, before):
        await _begin(session, row)


async def delete_reminder(session: WriteSession, row: DateReminderRow, _caller: Principal) -> None:
    """What it told of goes with it, in the background."""
    await DATE_REMINDER_EVENTS.deleted(session, row)
    await _set(session, row.id, Step(rules.today(await session.now(), row.time_zone)), await session.now())


async def _check_field(session: WriteSession, data: DateReminderWrite) -> None:
    await session.standing(declared_for(data.resource))  # it does not go until the reminder that names it is there
    if not await _is_dated(session, _RESOURCES[data.resource], data.field):
        text = Text(
            f"No custom field of type date of {data.resource} has this name: declare it under /v1/custom-fields",
            f"{data.resource} 没有该名称的日期类型自定义字段：请先在 /v1/custom-fields 声明",
        )
        raise ValidationFailed(text, errors=[FieldError("/field", "unknown_field", text)])


async def _is_dated(session: ReadSession, resource: Resource[Any, Any, Any], name: str) -> bool:
    """Whether the records have such a date."""
    field = (await resource.fields_in(session, [name])).get(name)
    return field is not None and field.type is FieldType.DATE


async def _begin(session: WriteSession, row: DateReminderRow) -> None:
    """With today, at once where its time has passed; or with the day that it has come to, where that is longer ago."""
    day = rules.today(await session.now(), row.time_zone)
    if (pending := await repository.lock_pending(session, row.id)) is not None:
        day = min(day, date.fromisoformat(pending["day"]))
    await _set(session, row.id, Step(day), rules.due_at(day, row.at, row.time_zone))


async def _set(session: WriteSession, reminder_id: str, step: Step, at: datetime) -> datetime:
    await set_timer(session, REMINDER, reminder_id, at, {**step._asdict(), "day": step.day.isoformat()})
    return at


async def come_due(session: WriteSession, reminder_id: str, step: Step) -> datetime | None:
    """Tells of some dates, or forgets some. When to go on; None where there is nothing left to do.

    Nobody changes the reminder meanwhile: who does waits for the timer that this runs in.
    """
    row = await repository.reminder(session, reminder_id)
    now = await session.now()
    if row is None:
        return now if await _forget(session, reminder_id, None) else None
    if not row.active:
        return None
    if step.phase == "tell":
        last = await _tell(session, row, step)
        following = Step(step.day, last) if last is not None else Step(step.day, "", "forget")
        return await _set(session, row.id, following, now)
    if await _forget(session, row.id, step.day - timedelta(days=KEPT_DAYS)):
        return await _set(session, row.id, step, now)
    tomorrow = step.day + timedelta(days=1)
    return await _set(session, row.id, Step(tomorrow), rules.due_at(tomorrow, row.at, row.time_zone))


async def _tell(session: WriteSession, row: DateReminderRow, step: Step) -> str | None:
    """The last record of the batch; None where the day is through."""
    occurs_on = rules.occurs_on(step.day, row.days_before)
    dates = rules.dates_due(occurs_on, row.repeats)
    resource = _RESOURCES[row.resource]  # type: ignore[index]  # as it was written
    if not await _is_dated(session, resource, row.field):
        return None
    ids = await repository.records_with(session, resource, row.field, dates, step.after, BATCH)
    told = await repository.told_before(session, row.id, occurs_on, ids)
    await DATE_OCCURRENCE_EVENTS.created_all(
        session,
        [
            new_row(
                DateOccurrenceRow,
                id=DateOccurrenceId.new(),
                reminder_id=row.id,
                record_id=record_id,
                field=row.field,
                occurs_on=occurs_on,
                due_at=rules.due_at(step.day, row.at, row.time_zone),
                **{f"{resource.singular}_id": record_id},
            )
            for record_id in ids
            if record_id not in told
        ],
        action="came_due",
    )
    return ids[-1] if len(ids) == BATCH else None


async def _forget(session: WriteSession, reminder_id: str, before: date | None) -> bool:
    """Whether there may be more."""
    old = await repository.lock_old(session, reminder_id, before, BATCH)
    for row in old:
        await DATE_OCCURRENCE_EVENTS.deleted(session, row)
    return len(old) == BATCH
