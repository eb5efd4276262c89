"""Which records are due, and every other statement about carrying out a rule."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from crm_contracts.retention import CountedFrom, RetentionRun
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.resources import Resource, Walk
from sqlalchemy import ARRAY, ColumnElement, any_, delete, func, literal, select, tuple_, update
from sqlalchemy import Text as SqlText

from contacts_svc.features.activities.models import ActivityRow
from contacts_svc.features.activities.resource import ACTIVITIES
from contacts_svc.features.consents.models import ConsentRow
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.retaining.models import LastActivityRow, RetentionRuleRow, RetentionRunRow
from contacts_svc.features.retaining.rules import condition_for

RESOURCES: Final[Mapping[str, Resource[Any, Any, Any]]] = {"contacts": CONTACTS, "activities": ACTIVITIES}

_rule, _run = columns(RetentionRuleRow), columns(RetentionRunRow)
_contact, _activity, _consent = columns(ContactRow), columns(ActivityRow), columns(ConsentRow)
_last = columns(LastActivityRow)
_KEPT: Final = timedelta(days=400)
_FORGOTTEN: Final = 100

Place = tuple[datetime, str]
"""Where a record stands among those that a rule looks at: by time, then by id."""

_NOTE_ACTIVITY: Final = Sql(
    "insert into last_activity (tenant_id, contact_id, last_at)"
    " select :tenant, told.id, told.at from unnest(cast(:ids as text[]), cast(:ats as timestamptz[])) as told(id, at)"
    " order by told.id on conflict (tenant_id, contact_id) do update set last_at = excluded.last_at"
    " where excluded.last_at > last_activity.last_at"
)


def _looked_up_by(resource: Resource[Any, Any, Any], counted_from: CountedFrom) -> Any:
    """The column, with an index, that is never later than what is counted from."""
    c = columns(resource.row)
    return c.created_at if counted_from == "last_activity_at" else c[counted_from]


def since(resource: Resource[Any, Any, Any], counted_from: CountedFrom) -> ColumnElement[datetime]:
    """What a rule counts from."""
    if counted_from != "last_activity_at":
        found: ColumnElement[datetime] = columns(resource.row)[counted_from]
        return found
    # What is planned counts as well: whoever is to be visited is no stranger.
    told = (
        select(func.max(_activity.at)).where(_activity.contact_id == _contact.id),
        select(func.max(_consent.at)).where(_consent.contact_id == _contact.id),
        select(_last.last_at).where(_last.contact_id == _contact.id),
    )
    return func.greatest(_contact.created_at, *(each.scalar_subquery() for each in told))


class Due:
    """The records that are due by a rule at a time, as far as a session's caller sees them. Compiled for one session."""

    def __init__(self, walk: Walk, counted_from: CountedFrom, before: datetime) -> None:
        self._resource = walk.resource
        self._before = before
        self._column = _looked_up_by(walk.resource, counted_from)
        self.since = since(walk.resource, counted_from)
        self.walk = replace(walk, statement=walk.statement.where(self._column <= before, self.since <= before))

    @classmethod
    async def of(cls, session: ReadSession, rule: Any, before: datetime, now: datetime) -> "Due":
        """`rule`: as it is asked for, or stored. `now`: what its condition counts back from.

        Raises ValidationFailed, and Forbidden for a field of which the caller reads no record.
        """
        where = condition_for(rule.resource, rule.action, rule.where)
        walk = await Walk.of(session, RESOURCES[rule.resource], where, (), now)
        return cls(walk, rule.counted_from, before)

    async def slice(self, session: ReadSession, after: Place | None, limit: int) -> list[Place]:
        """The next records that are old enough to be looked at, whatever the condition says of them."""
        c, column = columns(self._resource.row), self._column
        statement = select(column.label("at"), c.id).where(column <= self._before).order_by(column, c.id).limit(limit)
        if after is not None:
            statement = statement.where(tuple_(column, c.id) > tuple_(literal(after[0]), literal(after[1], c.id.type)))
        return [(row.at, row.id) for row in await session.execute(statement)]

    async def times(self, session: ReadSession, ids: Sequence[str]) -> Mapping[str, datetime]:
        """Of those of the records that are due: what is counted from."""
        await session.plan_anew()
        c = columns(self._resource.row)
        wanted = c.id == any_(literal(list(ids), ARRAY(SqlText())))
        found = self.walk.statement.with_only_columns(c.id, self.since.label("since")).where(wanted)
        return {row.id: row.since for row in await session.execute(found)}


async def rule(session: ReadSession, rule_id: str) -> RetentionRuleRow | None:
    row: RetentionRuleRow | None = await session.scalar(select(RetentionRuleRow).where(_rule.id == rule_id))
    return row


async def lock_rule(session: WriteSession, rule_id: str) -> RetentionRuleRow | None:
    """None where somebody else has it, who may wait for the timer that this runs in."""
    statement = select(RetentionRuleRow).where(_rule.id == rule_id).with_for_update(skip_locked=True)
    row: RetentionRuleRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def running(session: WriteSession, rule_id: str) -> RetentionRunRow | None:
    """The run that has begun and not ended."""
    statement = select(RetentionRunRow).where(_run.rule_id == rule_id, _run.status == "running").with_for_update()
    row: RetentionRunRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def stop_runs(session: WriteSession, rule_id: str, now: datetime) -> None:
    mine = (_run.rule_id == rule_id, _run.status == "running")
    await session.execute(update(RetentionRunRow).where(*mine).values(status="stopped", finished_at=now))


async def runs_of(session: ReadSession, rule_id: str, before: str | None, limit: int) -> Sequence[RetentionRunRow]:
    """The newest first: ids are made in the order of time."""
    statement = select(RetentionRunRow).where(_run.rule_id == rule_id)
    if before:
        statement = statement.where(_run.id < before)
    return (await session.scalars(statement.order_by(_run.id.desc()).limit(limit))).all()


async def forget_old_runs(session: WriteSession, rule_id: str, now: datetime) -> None:
    """Some of those whose time is over."""
    old = select(_run.id).where(_run.rule_id == rule_id, _run.started_at < now - _KEPT).limit(_FORGOTTEN)
    await session.execute(delete(RetentionRunRow).where(_run.id.in_(old)))


async def forget_runs(session: WriteSession, rule_id: str) -> None:
    await session.execute(delete(RetentionRunRow).where(_run.rule_id == rule_id))


async def contacts_of(session: ReadSession, ids: Sequence[str]) -> Sequence[ContactRow]:
    """As they are now; unlocked."""
    wanted = _contact.id == any_(literal(list(ids), ARRAY(SqlText())))
    return (await session.scalars(select(ContactRow).where(wanted))).all()


async def note_activity(session: WriteSession, active_at: Mapping[str, datetime]) -> None:
    """`active_at`: when something was done with a contact, by id. What is later already stays."""
    given = {"tenant": session.tenant_id, "ids": list(active_at), "ats": list(active_at.values())}
    await session.fetch(_NOTE_ACTIVITY, given)


def told(row: RetentionRunRow) -> RetentionRun:
    return RetentionRun.model_validate(row, from_attributes=True)
