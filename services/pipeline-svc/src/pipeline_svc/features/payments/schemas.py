"""What clients may write of a payment."""

from typing import Annotated

from crm_contracts.ids import InvoiceId, OrderId
from crm_contracts.pipeline import PaymentKind, PaymentStatus
from crm_contracts.types import NonNegativeMoney, Slug, Text, Timestamp
from pydantic import Field, StringConstraints

from pipeline_svc.sales.schemas import SoldWrite


class PaymentWrite(SoldWrite):
    kind: Annotated[PaymentKind, Field(description="Whether the money came in, or went back")] = "payment"
    order_id: OrderId | None = None
    invoice_id: Annotated[
        InvoiceId | None,
        Field(
            description="An invoice that there is: once the payment has succeeded, it counts for it where the currency is the same"
        ),
    ] = None
    amount: Annotated[NonNegativeMoney, Field(description="Never negative: `kind` says which way it went")]
    method: Annotated[Slug | None, Field(examples=["bank_transfer", "card", "wechat_pay", "alipay", "cash"])] = None
    status: PaymentStatus = "succeeded"
    paid_at: Annotated[
        Timestamp | None,
        Field(description="When the money moved; if left out, the moment at which it has first succeeded"),
    ] = None
    reference: Annotated[
        Annotated[Text, StringConstraints(min_length=1)] | None, Field(description="As it stands on a bank statement")
    ] = None
