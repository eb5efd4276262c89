"""Every statement about territories, and about the records that follow them, beyond those that all resources have."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from crm_kit.conditions import compile_condition
from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.timers import TIMER
from sqlalchemy import ColumnElement, and_, case, false, func, literal, not_, null, or_, select

from contacts_svc.features.assignment.models import TerritoryRow
from contacts_svc.features.assignment.rules import ActiveTerritory
from contacts_svc.features.territories.rules import BATCH, EVALUATION, WINDOW

RowT = TypeVar("RowT", bound=EntityRow)

_c = columns(TerritoryRow)


async def count_active(session: ReadSession, resource: str, except_id: str) -> int:
    statement = select(func.count()).where(_c.resource == resource, _c.active, _c.id != except_id)
    return int(await session.scalar(statement))


async def end_of_window(session: ReadSession, row: type[EntityRow], after: str) -> str | None:
    """The id of the last of the next WINDOW rows; None where there are fewer."""
    c = columns(row)
    end: str | None = await session.scalar(select(c.id).where(c.id > after).order_by(c.id).offset(WINDOW - 1).limit(1))
    return end


async def ids_to_reassign(
    session: ReadSession,
    row: type[EntityRow],
    territories: Sequence[ActiveTerritory],
    within: tuple[str, str | None],
    now: datetime,
) -> Sequence[str]:
    """The first BATCH rows beyond one id and up to the other whose assignment is not what `rules.reassigned` says."""
    c, (after, end) = columns(row), within
    holding: ColumnElement[Any] = null()
    if territories:
        holds = [(compile_condition(each.condition, now=now), literal(each.id)) for each in territories]
        holding = case(*holds, else_=null())
    names = ("id", "team_id", "owner_id", "territory_id", "territory_team_id", "territory_owner_id")
    pooled = c.pool_id.is_not(None) if "pool_id" in c else false()
    bounds = c.id > after if end is None else and_(c.id > after, c.id <= end)
    # Materialised by `offset`: PostgreSQL would evaluate all conditions anew wherever the outcome is named.
    each = (
        select(*(c[name] for name in names), holding.label("holding"), pooled.label("pooled"))
        .where(bounds)
        .offset(0)
        .subquery()
        .c
    )
    unnamed = or_(each.owner_id.is_(None), each.owner_id == each.territory_owner_id)
    gives = case((and_(unnamed, not_(each.pooled)), _c.owner_id), else_=null())
    statement = (
        select(each.id)
        .outerjoin(TerritoryRow, _c.id == each.holding)
        .where(or_(each.team_id.is_(None), each.team_id == each.territory_team_id))
        .where(
            or_(
                each.territory_id.is_distinct_from(each.holding),
                each.territory_team_id.is_distinct_from(_c.team_id),
                each.territory_owner_id.is_distinct_from(gives),
            )
        )
        .order_by(each.id)
        .limit(BATCH)
    )
    return (await session.scalars(statement)).all()


async def lock_free(session: WriteSession, row: type[RowT], ids: Sequence[str]) -> Sequence[RowT]:
    """Those of the rows that nobody else has locked, as they are now: so that nobody waits for two of them crosswise."""
    c = columns(row)
    statement = select(row).where(c.id.in_(ids)).order_by(c.id).with_for_update(skip_locked=True)
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def evaluation(session: ReadSession) -> Mapping[str, Any] | None:
    """How far it has come, by its timer; None where none goes on."""
    payload: Mapping[str, Any] | None = await session.scalar(select(TIMER.c.payload).where(TIMER.c.kind == EVALUATION))
    return payload
