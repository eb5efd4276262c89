"""Every statement about reminders beyond those that all resources have."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, Final

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.resources import Resource
from crm_kit.rights import CUSTOM
from crm_kit.timers import TIMER
from sqlalchemy import func, select

from contacts_svc.features.date_occurrences.models import DateOccurrenceRow
from contacts_svc.features.date_reminders.models import DateReminderRow
from contacts_svc.features.date_reminders.rules import BIRTHDAY, REMINDER

# Each day is looked up by itself, through the index of birthdays or of custom values, which OFFSET holds PostgreSQL to: given
# all of them at once it reads every row and tries each day on it.
_LOOKED_UP: Final = (
    "select found.id from unnest(cast(:days as {type}[])) as asked(day)"
    " cross join lateral (select id from {table} where {holds} offset 0) as found"
    " where found.id > :after order by found.id limit :limit"
)
_UNRESTRICTED: Final = {"contact": " and not restricted"}
"""To tell of a date is more than to store it."""

_BORN_ON: Final = Sql(
    _LOOKED_UP.format(type="date", table="contact", holds=f"birthday = asked.day{_UNRESTRICTED['contact']}")
)


@cache
def _holding(table: str) -> Sql:
    holds = f"custom @> jsonb_build_object(cast(:name as text), asked.day){_UNRESTRICTED.get(table, '')}"
    return Sql(_LOOKED_UP.format(type="text", table=table, holds=holds))


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
    """The ids of the first records beyond `after` whose field holds one of the dates."""
    table, asked = resource.row.__tablename__, {"after": after, "limit": limit}
    if field == BIRTHDAY:
        rows = await session.fetch(_BORN_ON, {**asked, "days": list(dates)})
    else:
        name = field.removeprefix(f"{CUSTOM}.")
        days = [day.isoformat() for day in dates]
        rows = await session.fetch(_holding(str(table)), {**asked, "days": days, "name": name})
    return [row["id"] for row in rows]


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
