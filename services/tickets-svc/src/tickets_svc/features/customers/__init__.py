"""Customers: this service's facts for the customer view, asked for by the gateway alone, whose they are, and who has become one."""

from crm_contracts.registry import ACCOUNT, CONTACT, MERGE
from crm_kit.manifest import Feature
from crm_kit.merging import MergedReferences, Reference, follow_merges
from crm_kit.rights.copies import follow_owners

from tickets_svc.features.customers.router import router
from tickets_svc.features.tickets.events import TICKET_EVENTS
from tickets_svc.features.tickets.usecases import take_messages_along

_REFERENCES = MergedReferences(Reference(TICKET_EVENTS, "contact_id", along=take_messages_along))

FEATURE = Feature(
    router=router,
    consumers=(
        follow_owners("tickets", {CONTACT: "account_id", ACCOUNT: None}),
        follow_merges("tickets", MERGE),
    ),
    timers=_REFERENCES.timers,
)
