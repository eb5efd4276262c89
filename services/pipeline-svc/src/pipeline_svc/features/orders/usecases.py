"""What can be done with an order."""

from collections.abc import Mapping, Sequence

from crm_contracts.ids import OrderId
from crm_contracts.pipeline import Order
from crm_contracts.types import Money
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.merging import with_current
from crm_kit.resources import Matcher

from pipeline_svc import lines
from pipeline_svc.features.orders import rules
from pipeline_svc.features.orders.events import ORDER_EVENTS
from pipeline_svc.features.orders.models import OrderRow
from pipeline_svc.features.orders.repository import EXTERNAL_ID, NUMBER, NUMBERS
from pipeline_svc.features.orders.schemas import OrderWrite
from pipeline_svc.sales.keys import external_ids_of, numbers_of


async def create_order(session: WriteSession, data: OrderWrite, _caller: Principal) -> Order:
    data = await with_current(session, data, "contact_id")
    total = _total(data, None)
    await EXTERNAL_ID.claim(session, data.source, data.external_id)
    number = await NUMBERS.given(session, data.source, data.number)
    row = OrderRow(
        id=OrderId.new(),
        number=number,
        total_amount=total.amount,
        total_currency=total.currency,
        placed_at=data.placed_at or utc_now(),
    )
    _write(row, data, total)
    return await ORDER_EVENTS.created(session, row)


async def foresee(session: WriteSession, orders: Sequence[OrderWrite]) -> None:
    """For all that are about to be created."""
    await EXTERNAL_ID.foresee(session, external_ids_of(orders))
    await NUMBER.foresee(session, numbers_of(orders))


async def update_order(session: WriteSession, row: OrderRow, data: OrderWrite, _caller: Principal) -> None:
    """`number` and `placed_at` stay where they are cleared."""
    before = ORDER_EVENTS.snapshot(row)
    data = await with_current(session, data, "contact_id", row)
    number = data.number or before.number
    await EXTERNAL_ID.claim(session, data.source, data.external_id, before)
    await NUMBER.claim(session, data.source, number, before)
    row.number = number
    row.placed_at = data.placed_at or before.placed_at
    _write(row, data, _total(data, before))
    await ORDER_EVENTS.updated(session, row, before)


async def delete_order(session: WriteSession, row: OrderRow, _caller: Principal) -> None:
    await ORDER_EVENTS.deleted(session, row)


MATCHERS: Mapping[str, Matcher[Order]] = {
    "external_id": EXTERNAL_ID.matcher(OrderWrite),
    "number": NUMBER.matcher(OrderWrite),
}


def _write(row: OrderRow, data: OrderWrite, total: Money) -> None:
    """All but number and time. Raises ValidationFailed where the refunds are none of this total."""
    if faults := rules.refund_faults(data.refunds, total.currency):
        raise ValidationFailed(Text("These cannot be refunds of the order.", "退款与订单不符。"), errors=faults)
    row.total_amount = lines.stored_amount(total)
    row.total_currency = total.currency
    row.lines = [line.model_dump(mode="json") for line in data.lines]
    row.status = data.status
    row.refunds = [refund.model_dump(mode="json") for refund in data.refunds]
    row.refunded_amount = rules.refunded_amount(data.refunds)
    row.refunded_at = max((refund.at for refund in data.refunds), default=None)
    row.write(data)


_MISSING = Text("Give the order's total.", "请填写订单总额。")


def _total(data: OrderWrite, before: Order | None) -> Money:
    """Raises ValidationFailed where none is given and the lines have none."""
    was, lines_before = (before.total, before.lines) if before else (None, ())
    return lines.decided_total(data.total, data.lines, was, lines_before, _MISSING)
