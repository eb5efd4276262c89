"""What clients may write of an order."""

from typing import Annotated

from crm_contracts.pipeline import OrderStatus
from crm_contracts.types import ExternalKey, Input, NonNegativeMoney, Text, Timestamp
from pydantic import Field

from pipeline_svc.lines import LinesWrite
from pipeline_svc.sales.schemas import NumberInSource, SoldWrite

MAX_REFUNDS = 100


class RefundWrite(Input):
    external_id: Annotated[ExternalKey | None, Field(description="Its id in the source, once in the order")] = None
    amount: Annotated[NonNegativeMoney, Field(description="In the currency of the order's total")]
    reason: Text | None = None
    at: Timestamp


class OrderWrite(SoldWrite):
    number: NumberInSource = None
    lines: LinesWrite = []
    total: Annotated[
        NonNegativeMoney | None, Field(description="If left out, that of the lines, which then have one currency")
    ] = None
    status: OrderStatus = "pending"
    placed_at: Annotated[Timestamp | None, Field(description="Now if left out")] = None
    refunds: Annotated[
        list[RefundWrite],
        Field(
            max_length=MAX_REFUNDS,
            description="What was given back of the total. They leave `status` as it is; an order of which all was given back counts "
            "as refunded",
        ),
    ] = []
