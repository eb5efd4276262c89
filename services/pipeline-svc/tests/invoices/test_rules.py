"""What is paid and due of an invoice, and which state that makes."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import get_args

from crm_contracts.pipeline import InvoiceStatus
from hypothesis import given
from hypothesis import strategies as st
from pipeline_svc.features.invoices.rules import (
    amount_due,
    amount_paid,
    is_overdue,
    overdue_from,
    stated_after,
    status_of,
)

states = st.sampled_from(get_args(InvoiceStatus))
totals = st.integers(0, 6).flatmap(lambda places: st.decimals("0", "999999999999999", places=places))
paids = st.decimals("-999999999999999", "999999999999999", places=6)


@given(states, totals, paids)
def test_payments_decide_of_open_invoices_alone(stated: str, total: Decimal, paid: Decimal) -> None:
    status = status_of(stated, total, paid)
    assert status == ("paid" if stated == "open" and paid >= total else stated)
    due = amount_due(status, total, paid)
    assert due >= 0
    if status in ("paid", "void"):
        assert due == 0
    else:
        assert due == max(total - paid, Decimal(0))
    if status == "open":
        assert due > 0, "or it would be paid"
    assert amount_paid(paid, total) == paid
    for shown in (due, amount_paid(paid, total)):
        assert -int(shown.as_tuple().exponent) >= -int(total.as_tuple().exponent), "as many places as the total"


@given(states, states, totals, paids)
def test_who_writes_back_what_they_read_changes_nothing(
    stated: str, written: str, total: Decimal, paid: Decimal
) -> None:
    shown = status_of(stated, total, paid)
    assert stated_after(shown, shown, stated) == stated
    if written != shown:
        assert stated_after(written, shown, stated) == written


@given(states, st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(-3, 3))
def test_an_open_invoice_is_overdue_from_the_day_behind_its_last(status: str, due_at: date, days: int) -> None:
    today = due_at + timedelta(days=days)
    assert is_overdue(status, due_at, today) == (status == "open" and days > 0)
    assert not is_overdue(status, None, today)
    first = overdue_from(due_at)
    assert is_overdue("open", due_at, first.date())
    assert not is_overdue("open", due_at, (first - timedelta(microseconds=1)).date())
    assert first.tzinfo is UTC
    assert first == datetime(first.year, first.month, first.day, tzinfo=UTC)
