"""By what payments are known."""

from pipeline_svc.features.payments.errors import PaymentExternalIdTaken
from pipeline_svc.features.payments.models import PaymentRow
from pipeline_svc.sales.keys import SourceKey

EXTERNAL_ID = SourceKey(PaymentRow, "external_id", "payment.external", PaymentExternalIdTaken, "payment_id", "外部标识")
