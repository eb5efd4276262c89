"""What can be done with an invoice, and what its payments make of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from crm_contracts.ids import InvoiceId
from crm_contracts.pipeline import Invoice
from crm_contracts.types import Money
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.merging import with_current
from crm_kit.resources import Matcher
from crm_kit.timers import set_timer

from pipeline_svc import lines
from pipeline_svc.features.invoices import repository, rules
from pipeline_svc.features.invoices.events import INVOICE_EVENTS
from pipeline_svc.features.invoices.models import InvoiceRow
from pipeline_svc.features.invoices.schemas import InvoiceWrite
from pipeline_svc.sales.keys import external_ids_of, numbers_of

OVERDUE = "invoice_overdue"
"""The timer that an open invoice with a last day has, by its id."""


async def create_invoice(session: WriteSession, data: InvoiceWrite, _caller: Principal) -> Invoice:
    data = await with_current(session, data, "contact_id")
    total = _total(data, None)
    await repository.EXTERNAL_ID.claim(session, data.source, data.external_id)
    number = await repository.NUMBERS.given(session, data.source, data.number)
    row = InvoiceRow(
        id=InvoiceId.new(),
        number=number,
        total_amount=total.amount,
        total_currency=total.currency,
        status=data.status,
        stated=data.status,
    )
    now = utc_now()
    _write(row, data, total)
    _judge(row, now)
    await _watch(session, row, None)
    return await INVOICE_EVENTS.created(session, row)


async def foresee(session: WriteSession, invoices: Sequence[InvoiceWrite]) -> None:
    """For all that are about to be created."""
    await repository.EXTERNAL_ID.foresee(session, external_ids_of(invoices))
    await repository.NUMBER.foresee(session, numbers_of(invoices))


async def update_invoice(session: WriteSession, row: InvoiceRow, data: InvoiceWrite, _caller: Principal) -> None:
    """`number`, and `issued_at` of what is no draft, stay where they are cleared."""
    before = INVOICE_EVENTS.snapshot(row)
    data = await with_current(session, data, "contact_id", row)
    number = data.number or before.number
    await repository.EXTERNAL_ID.claim(session, data.source, data.external_id, before)
    await repository.NUMBER.claim(session, data.source, number, before)
    total = _total(data, before)
    row.number = number
    row.stated = rules.stated_after(data.status, before.status, row.stated)
    currency_before = row.total_currency
    _write(row, data, total)
    row.issued_at = data.issued_at or before.issued_at
    if total.currency != currency_before:
        row.paid_amount = (await repository.paid_amounts(session, [row]))[row.id]
    _judge(row, utc_now())
    await _tell(session, row, before)


async def delete_invoice(session: WriteSession, row: InvoiceRow, _caller: Principal) -> None:
    """Its payments stay, and go on to name it."""
    await INVOICE_EVENTS.deleted(session, row)


async def settle(session: WriteSession, rows: Iterable[InvoiceRow]) -> None:
    """Makes invoices, which are locked, what their payments come to by now. Raises ValidationFailed where that is no amount."""
    rows = sorted(rows, key=lambda row: row.id)
    paid = await repository.paid_amounts(session, rows) if rows else {}
    for row in rows:
        if abs(paid[row.id]) >= lines.MAX_SUM:
            detail = Text("The payments of its invoice come to more than 15 digits", "该发票的付款合计超过 15 位")
            raise ValidationFailed(detail, errors=[FieldError("/amount", "payments_range", detail)])
        before = INVOICE_EVENTS.snapshot(row)
        row.paid_amount = paid[row.id]
        _judge(row, utc_now())
        await _tell(session, row, before)


async def look_at_day(session: WriteSession, row: InvoiceRow) -> None:
    """For an invoice, which is locked, whose last day has passed."""
    before = INVOICE_EVENTS.snapshot(row)
    _judge(row, await session.now())
    await _tell(session, row, before)


MATCHERS: Mapping[str, Matcher[Invoice]] = {
    "external_id": repository.EXTERNAL_ID.matcher(InvoiceWrite),
    "number": repository.NUMBER.matcher(InvoiceWrite),
}


def _write(row: InvoiceRow, data: InvoiceWrite, total: Money) -> None:
    """All but number, state and what is paid."""
    row.total_amount = lines.stored_amount(total)
    row.total_currency = total.currency
    row.lines = [line.model_dump(mode="json") for line in data.lines]
    row.order_id, row.issued_at, row.due_at = data.order_id, data.issued_at, data.due_at
    row.write(data)


def _judge(row: InvoiceRow, now: datetime) -> None:
    """What follows from what it says, what is paid, and the day."""
    row.status = rules.status_of(row.stated, row.total_amount, row.paid_amount)
    row.overdue = rules.is_overdue(row.status, row.due_at, now.date())
    if row.issued_at is None and row.status != "draft":
        row.issued_at = now


async def _tell(session: WriteSession, row: InvoiceRow, before: Invoice) -> None:
    """What happened to it gives the event its name."""
    action = "updated"
    if row.status == "paid" != before.status:
        action = "paid"
    elif row.overdue and not before.overdue:
        action = "overdue"
    if await INVOICE_EVENTS.updated(session, row, before, action=action):
        await _watch(session, row, before)


async def _watch(session: WriteSession, row: InvoiceRow, before: Invoice | None) -> None:
    """Sees to it that it is looked at once its last day has passed. A timer that is not needed any more finds nothing to do."""
    waits = row.status == "open" and not row.overdue
    waited = before is not None and before.status == "open" and not before.overdue and before.due_at == row.due_at
    if waits and not waited and row.due_at is not None:
        await set_timer(session, OVERDUE, row.id, rules.overdue_from(row.due_at))


_MISSING = Text("Give the invoice's total.", "请填写发票总额。")


def _total(data: InvoiceWrite, before: Invoice | None) -> Money:
    """Raises ValidationFailed where none is given and the lines have none."""
    was, lines_before = (before.total, before.lines) if before else (None, ())
    return lines.decided_total(data.total, data.lines, was, lines_before, _MISSING)
