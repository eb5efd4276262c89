"""Merges: several contacts become one, and each its own again when that is undone."""

from crm_contracts.registry import MERGE
from crm_kit.manifest import Feature
from crm_kit.merging import MergedReferences, Reference, follow_merges

from contacts_svc.features.activities.events import ACTIVITY_EVENTS
from contacts_svc.features.date_occurrences.events import DATE_OCCURRENCE_EVENTS
from contacts_svc.features.merges.router import router

_REFERENCES = MergedReferences(
    Reference(ACTIVITY_EVENTS, "contact_id"),
    Reference(DATE_OCCURRENCE_EVENTS, "contact_id"),
)

FEATURE = Feature(router=router, consumers=(follow_merges("contacts", MERGE),), timers=_REFERENCES.timers)
