"""Customers: this service's facts for the customer view, asked for by the gateway alone, whose they are, and who has become one."""

from crm_contracts.registry import ACCOUNT, CONTACT, MERGE
from crm_kit.manifest import Feature
from crm_kit.merging import MergedReferences, Reference, follow_merges
from crm_kit.rights.copies import follow_owners

from pipeline_svc.features.customers.router import router
from pipeline_svc.features.deals.events import DEAL_EVENTS
from pipeline_svc.features.invoices.events import INVOICE_EVENTS
from pipeline_svc.features.orders.events import ORDER_EVENTS
from pipeline_svc.features.payments.events import PAYMENT_EVENTS

# Payments before invoices: in this order whoever changes a payment locks them.
_REFERENCES = MergedReferences(
    *(Reference(events, "contact_id") for events in (DEAL_EVENTS, ORDER_EVENTS, PAYMENT_EVENTS, INVOICE_EVENTS))
)

FEATURE = Feature(
    router=router,
    consumers=(
        follow_owners("pipeline", {CONTACT: "account_id", ACCOUNT: None}),
        follow_merges("pipeline", MERGE),
    ),
    timers=_REFERENCES.timers,
)
