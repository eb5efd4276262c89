"""What can be done with an order."""

from collections.abc import Mapping, Sequence

from crm_contracts.ids import OrderId
from crm_contracts.pipeline import Order
from crm_contracts.types import Money
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.merging import with_current
from crm_kit.resources import Matcher, given, one_by_one
from pydantic import JsonValue

from pipeline_svc import lines
from pipeline_svc.features.orders import repository, rules
from pipeline_svc.features.orders.errors import OrderExternalIdTaken, OrderNumberTaken
from pipeline_svc.features.orders.events import ORDER_EVENTS
from pipeline_svc.features.orders.models import OrderRow
from pipeline_svc.features.orders.repository import SourceKey
from pipeline_svc.features.orders.schemas import OrderWrite


async def create_order(session: WriteSession, data: OrderWrite, _caller: Principal) -> Order:
    data = await with_current(session, data, "contact_id")
    total = _total(data, None)
    if data.external_id is not None:
        await _claim_external_id(session, data.source, data.external_id)
    if data.number is None:
        number = await _new_number(session, data.source)
    else:
        number = data.number
        await _claim_number(session, data.source, number)
    row = OrderRow(
        id=OrderId.new(),
        number=number,
        total_amount=total.amount,
        total_currency=total.currency,
        placed_at=data.placed_at or utc_now(),
    )
    _write(row, data, total)
    return await ORDER_EVENTS.created(session, row)


async def update_order(session: WriteSession, row: OrderRow, data: OrderWrite, _caller: Principal) -> None:
    """`number` and `placed_at` stay where they are cleared."""
    before = ORDER_EVENTS.snapshot(row)
    data = await with_current(session, data, "contact_id", row)
    number = data.number or before.number
    if data.external_id is not None and (data.source, data.external_id) != (before.source, before.external_id):
        await _claim_external_id(session, data.source, data.external_id)
    if (data.source, number) != (before.source, before.number):
        await _claim_number(session, data.source, number)
    row.number = number
    row.placed_at = data.placed_at or before.placed_at
    _write(row, data, _total(data, before))
    await ORDER_EVENTS.updated(session, row, before)


async def delete_order(session: WriteSession, row: OrderRow, _caller: Principal) -> None:
    await ORDER_EVENTS.deleted(session, row)


def _number_keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[SourceKey]:
    """The data's number in the data's source."""
    key = given(OrderWrite, data, "number", source=data.get("source"))
    assert key.number is not None, "`given` has looked"
    return [(key.source, key.number)]


def _external_keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[SourceKey]:
    """The data's external id in the data's source."""
    key = given(OrderWrite, data, "external_id", source=data.get("source"))
    assert key.external_id is not None, "`given` has looked"
    return [(key.source, key.external_id)]


MATCHERS: Mapping[str, Matcher[Order]] = {
    "external_id": Matcher(
        _external_keys,
        one_by_one(repository.find_external_id),
        lambda one: [(one.source, one.external_id)] if one.external_id is not None else [],
    ),
    "number": Matcher(_number_keys, one_by_one(repository.find_number), lambda one: [(one.source, one.number)]),
}


def _write(row: OrderRow, data: OrderWrite, total: Money) -> None:
    """All but number and time. References may be ahead of what they refer to."""
    row.total_amount = lines.stored_amount(total)
    row.total_currency = total.currency
    row.lines = [line.model_dump(mode="json") for line in data.lines]
    row.tags = list(dict.fromkeys(data.tags))
    row.custom = dict(data.custom)
    row.shares = [share.model_dump(mode="json") for share in data.shares]
    for field in ("source", "external_id", "contact_id", "account_id", "status", "owner_id", "team_id"):
        setattr(row, field, getattr(data, field))


def _total(data: OrderWrite, before: Order | None) -> Money:
    """Raises ValidationFailed where none is given and the lines have none."""
    decide = lines.lines_decide(
        data.total, data.lines, before.total if before else None, before.lines if before else ()
    )
    if data.total is not None and not decide:
        return data.total
    try:
        return lines.total(data.lines)
    except lines.NoTotal as error:
        detail = Text("Give the order's total.", "请填写订单总额。")
        raise ValidationFailed(detail, errors=[FieldError("/total", error.code, error.reason)]) from error


async def _claim_number(session: WriteSession, source: str | None, number: str) -> None:
    await repository.lock_number(session, source, number)
    holders = await repository.ids_with_number(session, source, number)
    if holders:
        raise OrderNumberTaken(
            Text(f"{holders[0]} has {number}.", f"{holders[0]} 已使用编号 {number}。"), members={"order_id": holders[0]}
        )


async def _claim_external_id(session: WriteSession, source: str | None, external_id: str) -> None:
    await repository.lock_external_id(session, source, external_id)
    holders = await repository.ids_with_external_id(session, source, external_id)
    if holders:
        raise OrderExternalIdTaken(
            Text(f"{holders[0]} has {external_id}.", f"{holders[0]} 已使用外部标识 {external_id}。"),
            members={"order_id": holders[0]},
        )


async def _new_number(session: WriteSession, source: str | None) -> str:
    """A free number. Raises OrderNumberTaken where somebody takes it by hand at this very moment."""
    number = rules.generated_number(await repository.next_count(session))
    await repository.lock_number(session, source, number)
    if await repository.ids_with_number(session, source, number):
        await repository.skip_taken_counts(session, source)
        number = rules.generated_number(await repository.next_count(session))
        await _claim_number(session, source, number)
    return number
