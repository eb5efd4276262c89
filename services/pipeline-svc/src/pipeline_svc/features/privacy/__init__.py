"""What this service holds of persons, and its part of the requests about it: what was sold stays, and nobody can tell to whom."""

from crm_kit.manifest import Feature
from crm_kit.privacy import Holding, PersonalData, PrivacyPart

from pipeline_svc.features.deals.events import DEAL_EVENTS
from pipeline_svc.features.invoices.events import INVOICE_EVENTS
from pipeline_svc.features.orders.events import ORDER_EVENTS
from pipeline_svc.features.payments.events import PAYMENT_EVENTS
from pipeline_svc.features.privacy.usecases import strip_deal, strip_invoice, strip_order, strip_payment

_PART = PrivacyPart(
    "pipeline",
    PersonalData(
        holdings=(
            Holding(events=DEAL_EVENTS, member="contact_id", strip=strip_deal),
            Holding(events=ORDER_EVENTS, member="contact_id", strip=strip_order),
            Holding(events=INVOICE_EVENTS, member="contact_id", strip=strip_invoice),
            Holding(events=PAYMENT_EVENTS, member="contact_id", strip=strip_payment),
        )
    ),
)

FEATURE = Feature(consumers=(_PART.consumer,), timers=_PART.timers, topics=_PART.topics)
