"""From the row to what others may see of it."""

from crm_contracts.pipeline import Payment
from crm_contracts.registry import PAYMENT
from crm_kit.outbox import EntityEvents

from pipeline_svc.features.payments.models import PaymentRow


def snapshot(row: PaymentRow) -> Payment:
    return Payment.model_validate(row)


PAYMENT_EVENTS = EntityEvents(PAYMENT, PaymentRow, snapshot)
