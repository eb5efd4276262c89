"""The statements behind the facts; each has a bound, and an index that serves it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_contracts.facts import MAX_DUE, MAX_OPEN, MAX_TIMELINE, UNCOUNTED_ORDERS, Scope
from crm_contracts.types import MoneySum
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from sqlalchemy import ColumnElement, and_, func, or_, select

from pipeline_svc.features.deals.models import DealRow
from pipeline_svc.features.invoices.models import InvoiceRow
from pipeline_svc.features.orders.models import OrderRow
from pipeline_svc.features.payments.models import PaymentRow

_deal = columns(DealRow)
_order = columns(OrderRow)
_invoice = columns(InvoiceRow)
_payment = columns(PaymentRow)


@dataclass(frozen=True, slots=True)
class DueInvoices:
    count: int
    overdue: int
    total: list[MoneySum]


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


async def newest_refunded_orders(session: ReadSession, scope: Scope) -> Sequence[OrderRow]:
    statement = select(OrderRow).where(_within(scope, _order), _order.refunded_at.is_not(None))
    newest = statement.order_by(_order.refunded_at.desc(), _order.id.desc()).limit(MAX_TIMELINE)
    return (await session.scalars(newest)).all()


async def newest_issued_invoices(session: ReadSession, scope: Scope) -> Sequence[InvoiceRow]:
    statement = select(InvoiceRow).where(_within(scope, _invoice), _invoice.issued_at.is_not(None))
    newest = statement.order_by(_invoice.issued_at.desc(), _invoice.id.desc()).limit(MAX_TIMELINE)
    return (await session.scalars(newest)).all()


async def newest_payments(session: ReadSession, scope: Scope) -> Sequence[PaymentRow]:
    statement = select(PaymentRow).where(_within(scope, _payment))
    newest = statement.order_by(_payment.at.desc(), _payment.id.desc()).limit(MAX_TIMELINE)
    return (await session.scalars(newest)).all()


async def first_due_invoices(session: ReadSession, scope: Scope) -> Sequence[InvoiceRow]:
    statement = select(InvoiceRow).where(_within(scope, _invoice), _invoice.status == "open")
    first = statement.order_by(_invoice.due_at.asc().nulls_last(), _invoice.id).limit(MAX_DUE)
    return (await session.scalars(first)).all()


async def due_invoices(session: ReadSession, scope: Scope) -> DueInvoices:
    """Of an open invoice more is paid than its total at no time: what is left is due."""
    statement = (
        select(
            _invoice.total_currency,
            func.count().label("invoices"),
            func.count().filter(_invoice.overdue).label("overdue"),
            func.sum(_invoice.total_amount - _invoice.paid_amount).label("amount"),
        )
        .where(_within(scope, _invoice), _invoice.status == "open")
        .group_by(_invoice.total_currency)
        .order_by(_invoice.total_currency)
    )
    rows = (await session.execute(statement)).all()
    return DueInvoices(
        count=sum(row.invoices for row in rows),
        overdue=sum(row.overdue for row in rows),
        total=[MoneySum(amount=row.amount, currency=row.total_currency) for row in rows],
    )


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
    """As `crm_contracts.facts.counts_as` says it of one."""
    back = func.coalesce(_order.refunded_amount, 0)
    is_refunded = and_(back > 0, back >= _order.total_amount)
    statement = (
        select(
            _order.total_currency,
            func.count().label("orders"),
            func.sum(func.greatest(_order.total_amount - back, 0)).label("amount"),
            func.max(_order.placed_at).label("last_at"),
        )
        .where(_within(scope, _order), _order.status.not_in(UNCOUNTED_ORDERS), ~is_refunded)
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
