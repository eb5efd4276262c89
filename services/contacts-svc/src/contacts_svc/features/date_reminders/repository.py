"""Every statement about reminders beyond those that all resources have."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from crm_kit.conditions import compile_condition, parse
from crm_kit.db.models import columns, utc_now
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.resources import Resource
from crm_kit.timers import TIMER
from sqlalchemy import func, select

from contacts_svc.features.date_occurrences.models import DateOccurrenceRow
from contacts_svc.features.date_reminders.models import DateReminderRow
from contacts_svc.features.date_reminders.rules import REMINDER

_c, _occurrence = columns(DateReminderRow), columns(DateOccurrenceRow)


async def reminder(session: ReadSession, reminder_id: str) -> DateReminderRow | None:
    row: DateReminderRow | None = await session.scalar(select(DateReminderRow).where(_c.id == reminder_id))
    return row


async def count(session: ReadSession) -> int:
    return int(await session.scalar(select(func.count()).select_from(DateReminderRow)))


async def lock_pending(session: WriteSession, reminder_id: str) -> Mapping[str, Any] | None:
    """How far a reminder has come, by its timer, which is locked; None where it tells of nothing."""
    mine = (TIMER.c.kind == REMINDER, TIMER.c.key == reminder_id)
    payload: Mapping[str, Any] | None = await session.scalar(select(TIMER.c.payload).where(*mine).with_for_update())
    return payload


async def records_with(
    session: ReadSession, resource: Resource[Any, Any, Any], field: str, dates: Sequence[date], after: str, limit: int
) -> Sequence[str]:
    """The ids of the first records beyond `after` whose field holds one of the dates; raises InvalidCondition where the
    field is declared no more.
    """
    fields = await resource.fields_in(session, [field])
    where = {"field": field, "op": "in", "value": [day.isoformat() for day in dates]}
    holds = compile_condition(parse(where, fields), now=utc_now())
    c = columns(resource.row)
    # Found first and put in order then: walking the ids would read the whole table for a few.
    found = select(c.id).where(holds, c.id > after).offset(0).subquery()
    await session.plan_anew()
    return (await session.scalars(select(found.c.id).order_by(found.c.id).limit(limit))).all()


async def told_before(
    session: ReadSession, reminder_id: str, occurs_on: date, record_ids: Sequence[str]
) -> frozenset[str]:
    """Those of the records of which the day was told already."""
    c = _occurrence
    mine = (c.reminder_id == reminder_id, c.occurs_on == occurs_on, c.record_id.in_(record_ids))
    return frozenset(await session.scalars(select(c.record_id).where(*mine)))


async def lock_old(
    session: WriteSession, reminder_id: str, before: date | None, limit: int
) -> Sequence[DateOccurrenceRow]:
    """Some occurrences of days before one; of all days where that is None."""
    statement = select(DateOccurrenceRow).where(_occurrence.reminder_id == reminder_id)
    if before is not None:
        statement = statement.where(_occurrence.occurs_on < before)
    statement = statement.order_by(_occurrence.occurs_on, _occurrence.id).limit(limit).with_for_update()
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def reminders_of(session: ReadSession, resource: str, field: str) -> Sequence[str]:
    """The ids of those that name the field."""
    return (
        await session.scalars(select(_c.id).where(_c.resource == resource, _c.field == field).order_by(_c.id))
    ).all()
