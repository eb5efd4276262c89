"""Pure decisions about invoices: what is paid and due of them, and which state that makes."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

_OWED_NOTHING: Final = ("paid", "void")


def status_of(stated: str, total: Decimal, paid: Decimal) -> str:
    """`stated`: what whoever wrote it calls it. An open one of which all is paid is paid; the other states are the writer's."""
    return "paid" if stated == "open" and paid >= total else stated


def stated_after(written: str, before: str, stated_before: str) -> str:
    """What is stated once somebody writes `written`: who writes back what they read states nothing anew."""
    return stated_before if written == before else written


def amount_paid(paid: Decimal, total: Decimal) -> Decimal:
    """With as many places as the total has, and more only where exactness takes more."""
    return paid + _nothing_of(total)


def amount_due(status: str, total: Decimal, paid: Decimal) -> Decimal:
    nothing = _nothing_of(total)
    return nothing if status in _OWED_NOTHING else max(total - paid, nothing)


def is_overdue(status: str, due_at: date | None, today: date) -> bool:
    """`due_at` is the last day on which it is paid in time."""
    return status == "open" and due_at is not None and due_at < today


def overdue_from(due_at: date) -> datetime:
    """The moment from which an invoice that is due then is overdue."""
    return datetime.combine(due_at + timedelta(days=1), time(), tzinfo=UTC)


def _nothing_of(total: Decimal) -> Decimal:
    """0 with the places of the total: 0.00."""
    exponent = total.as_tuple().exponent
    assert isinstance(exponent, int), "contracts carry finite decimals only"
    return Decimal(0).scaleb(min(0, exponent))
