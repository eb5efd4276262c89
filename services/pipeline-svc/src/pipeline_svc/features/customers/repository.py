"""The statements behind the facts; each has a bound, and an index that serves it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_contracts.facts import MAX_OPEN, MAX_TIMELINE, UNCOUNTED_ORDERS, Scope
from crm_contracts.types import MoneySum
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from sqlalchemy import ColumnElement, func, or_, select

from pipeline_svc.features.deals.models import DealRow
from pipeline_svc.features.orders.models import OrderRow

_deal = columns(DealRow)
_order = columns(OrderRow)


@dataclass(frozen=True, slots=True)
class CountedOrders:
    count: int
    total: list[MoneySum]
    last_at: datetime | None


async def newest_open_deals(session: ReadSession, scope: Scope) -> Sequence[DealRow]:
    statement = select(DealRow).where(_within(scope, _deal), _deal.status == "open")
    newest = statement.order_by(_deal.created_at.desc(), _deal.id.desc()).limit(MAX_OPEN)
    return (await session.scalars(newest)).all()


async def newest_moved_deals(session: ReadSession, scope: Scope) -> Sequence[DealRow]:
    statement = select(DealRow).where(_within(scope, _deal))
    newest = statement.order_by(_deal.stage_entered_at.desc(), _deal.id.desc()).limit(MAX_TIMELINE)
    return (await session.scalars(newest)).all()


async def newest_orders(session: ReadSession, scope: Scope) -> Sequence[OrderRow]:
    statement = select(OrderRow).where(_within(scope, _order))
    newest = statement.order_by(_order.placed_at.desc(), _order.id.desc()).limit(MAX_TIMELINE)
    return (await session.scalars(newest)).all()


async def deal_values(session: ReadSession, scope: Scope) -> dict[str, list[MoneySum]]:
    """By status, open and won: the sums of amounts, one per currency, by currency."""
    statement = (
        select(_deal.status, _deal.amount_currency, func.sum(_deal.amount_value).label("amount"))
        .where(_within(scope, _deal), _deal.status.in_(("open", "won")), _deal.amount_value.is_not(None))
        .group_by(_deal.status, _deal.amount_currency)
        .order_by(_deal.amount_currency)
    )
    values: dict[str, list[MoneySum]] = {"open": [], "won": []}
    for row in await session.execute(statement):
        values[row.status].append(MoneySum(amount=row.amount, currency=row.amount_currency))
    return values


async def counted_orders(session: ReadSession, scope: Scope) -> CountedOrders:
    statement = (
        select(
            _order.total_currency,
            func.count().label("orders"),
            func.sum(_order.total_amount).label("amount"),
            func.max(_order.placed_at).label("last_at"),
        )
        .where(_within(scope, _order), _order.status.not_in(UNCOUNTED_ORDERS))
        .group_by(_order.total_currency)
        .order_by(_order.total_currency)
    )
    rows = (await session.execute(statement)).all()
    return CountedOrders(
        count=sum(row.orders for row in rows),
        total=[MoneySum(amount=row.amount, currency=row.total_currency) for row in rows],
        last_at=max((row.last_at for row in rows), default=None),
    )


def _within(scope: Scope, c: Any) -> ColumnElement[bool]:
    belongs: ColumnElement[bool] = c.contact_id.in_(scope.contact_ids)
    return belongs if scope.account_id is None else or_(belongs, c.account_id == scope.account_id)
