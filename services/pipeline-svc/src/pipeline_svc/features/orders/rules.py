"""Pure decisions about orders."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from crm_contracts.types import Money
from crm_kit.errors import FieldError, Text

from pipeline_svc.lines import MAX_SUM


class Given(Protocol):
    """A refund as it is written."""

    @property
    def external_id(self) -> str | None: ...
    @property
    def amount(self) -> Money: ...


_OTHER_CURRENCY = Text("Must be in the currency of the total", "必须与订单总额同一货币")
_REPEATED = Text("Another refund of the order has this external id", "该订单的另一笔退款已有此外部标识")
_RANGE = Text("The refunds come to more than 15 digits", "退款合计超过 15 位")


def refund_faults(refunds: Sequence[Given], currency: str) -> list[FieldError]:
    """What an order in this currency cannot have of them. More than its total may be given back: postage comes on top."""
    faults = []
    seen: set[str] = set()
    for place, refund in enumerate(refunds):
        if refund.amount.currency != currency:
            faults.append(FieldError(f"/refunds/{place}/amount/currency", "other_currency", _OTHER_CURRENCY))
        if refund.external_id is not None:
            if refund.external_id in seen:
                faults.append(FieldError(f"/refunds/{place}/external_id", "repeated", _REPEATED))
            seen.add(refund.external_id)
    if (refunded_amount(refunds) or 0) >= MAX_SUM:
        faults.append(FieldError("/refunds", "refunds_range", _RANGE))
    return faults


def with_refund(refunds: Sequence[Mapping[str, Any]], refund: Mapping[str, Any]) -> list[Any]:
    """The refunds and this one, in place of that which has its external id."""
    known = refund["external_id"]
    if known is None or all(each["external_id"] != known for each in refunds):
        return [*refunds, refund]
    return [refund if each["external_id"] == known else each for each in refunds]


def refunded_amount(refunds: Sequence[Given]) -> Decimal | None:
    """None where there are none."""
    return sum((refund.amount.amount for refund in refunds), Decimal(0)) if refunds else None
