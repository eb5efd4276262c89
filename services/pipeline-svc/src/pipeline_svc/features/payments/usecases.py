"""What can be done with a payment. The invoice that it pays follows in the same transaction.

Payments are locked before the invoices that they name, and these by id: so of two payments of one invoice the second sees what the first
has made of it. What a source calls a new payment is locked before both.
"""

from collections.abc import Mapping, Sequence

from crm_contracts.ids import PaymentId
from crm_contracts.pipeline import Payment
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.merging import with_current
from crm_kit.resources import Matcher

from pipeline_svc import lines
from pipeline_svc.features.invoices.models import InvoiceRow
from pipeline_svc.features.invoices.resource import INVOICES
from pipeline_svc.features.invoices.usecases import settle
from pipeline_svc.features.payments.events import PAYMENT_EVENTS
from pipeline_svc.features.payments.models import PaymentRow
from pipeline_svc.features.payments.repository import EXTERNAL_ID
from pipeline_svc.features.payments.schemas import PaymentWrite
from pipeline_svc.sales.keys import external_ids_of

_DECIDING = frozenset({"kind", "invoice_id", "amount", "status"})
"""The members that decide what an invoice is paid."""


async def create_payment(session: WriteSession, data: PaymentWrite, _caller: Principal) -> Payment:
    data = await with_current(session, data, "contact_id")
    await EXTERNAL_ID.claim(session, data.source, data.external_id)
    invoices = await _hold(session, data.invoice_id, None)
    row = PaymentRow(id=PaymentId.new())  # type: ignore[call-arg]  # the rest is written next
    _write(row, data)
    created = await PAYMENT_EVENTS.created(session, row)
    if data.status == "succeeded":
        await settle(session, invoices.values())
    return created


async def foresee(session: WriteSession, payments: Sequence[PaymentWrite]) -> None:
    """For all that are about to be created; locks are taken in the order in which one of them takes them."""
    await EXTERNAL_ID.foresee(session, external_ids_of(payments))
    await INVOICES.lock_all(session, {each.invoice_id for each in payments if each.invoice_id is not None})


async def update_payment(session: WriteSession, row: PaymentRow, data: PaymentWrite, _caller: Principal) -> None:
    """`paid_at` stays where it is cleared."""
    before = PAYMENT_EVENTS.snapshot(row)
    data = await with_current(session, data, "contact_id", row)
    await EXTERNAL_ID.claim(session, data.source, data.external_id, before)
    decides = any(getattr(data, name) != getattr(before, name) for name in _DECIDING)
    invoices = await _hold(session, data.invoice_id, before.invoice_id) if decides else {}
    _write(row, data)
    await PAYMENT_EVENTS.updated(session, row, before)
    await settle(session, invoices.values())


async def delete_payment(session: WriteSession, row: PaymentRow, _caller: Principal) -> None:
    invoice_id = row.invoice_id if row.status == "succeeded" else None
    await PAYMENT_EVENTS.deleted(session, row)
    await settle(session, (await _hold(session, invoice_id, invoice_id)).values())


MATCHERS: Mapping[str, Matcher[Payment]] = {"external_id": EXTERNAL_ID.matcher(PaymentWrite)}


async def _hold(session: WriteSession, named: str | None, before: str | None) -> Mapping[str, InvoiceRow]:
    """The invoices that a payment names and named, locked. Raises ValidationFailed where it is to name one that is not there, or
    that the caller does not see: whoever pays it changes it.
    """
    wanted = {each for each in (named, before) if each is not None}
    held = await INVOICES.lock_all(session, wanted) if wanted else {}
    if (
        named is not None
        and named != before
        and not await INVOICES.seen(session, [held[named]] if named in held else [])
    ):
        detail = Text("There is no such invoice", "不存在该发票")
        raise ValidationFailed(detail, errors=[FieldError("/invoice_id", "not_found", detail)])
    return held


def _write(row: PaymentRow, data: PaymentWrite) -> None:
    row.amount_value = lines.stored_amount(data.amount)
    row.amount_currency = data.amount.currency
    for name in ("kind", "order_id", "invoice_id", "method", "status", "reference"):
        setattr(row, name, getattr(data, name))
    row.paid_at = data.paid_at or row.paid_at or (utc_now() if data.status == "succeeded" else None)
    row.at = row.paid_at or row.created_at
    row.write(data)
