"""What clients may write of an invoice."""

from typing import Annotated

from crm_contracts.ids import OrderId
from crm_contracts.pipeline import InvoiceStatus
from crm_contracts.types import Date, NonNegativeMoney, Timestamp
from pydantic import Field

from pipeline_svc.lines import LinesWrite
from pipeline_svc.sales.schemas import NumberInSource, SoldWrite


class InvoiceWrite(SoldWrite):
    number: NumberInSource = None
    order_id: OrderId | None = None
    lines: LinesWrite = []
    total: Annotated[
        NonNegativeMoney | None, Field(description="If left out, that of the lines, which then have one currency")
    ] = None
    status: Annotated[
        InvoiceStatus,
        Field(
            description="An open invoice is paid as soon as its payments reach its total, and open again when they no more do"
        ),
    ] = "open"
    issued_at: Annotated[
        Timestamp | None, Field(description="If left out, the moment at which it is first no draft")
    ] = None
    due_at: Annotated[Date | None, Field(description="The last day on which it is paid in time")] = None
