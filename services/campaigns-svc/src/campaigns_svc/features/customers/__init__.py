"""Customers: this service's facts for the customer view, asked for by the gateway alone, whose they are, and who has become one."""

from crm_contracts.registry import ACCOUNT, CONTACT, MERGE
from crm_kit.manifest import Feature
from crm_kit.merging import MergedReferences, Reference, follow_merges
from crm_kit.rights.copies import follow_owners

from campaigns_svc.features.customers.router import router
from campaigns_svc.features.messages.events import MESSAGE_EVENTS
from campaigns_svc.features.segments.events import SEGMENT_MEMBER_EVENTS
from campaigns_svc.features.unsubscribes.events import UNSUBSCRIBE_EVENTS

_REFERENCES = MergedReferences(
    Reference(SEGMENT_MEMBER_EVENTS, "contact_id", once=("segment_id",)),
    Reference(MESSAGE_EVENTS, "contact_id", once=("campaign_id",)),
    Reference(UNSUBSCRIBE_EVENTS, "contact_id"),
)

FEATURE = Feature(
    router=router,
    consumers=(
        follow_owners("campaigns", {CONTACT: "account_id", ACCOUNT: None}),
        follow_merges("campaigns", MERGE),
    ),
    timers=_REFERENCES.timers,
)
