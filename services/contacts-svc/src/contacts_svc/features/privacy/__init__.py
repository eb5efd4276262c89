"""What this service holds of persons, and its part of the requests about it."""

from crm_kit.manifest import Feature
from crm_kit.privacy import Holding, PersonalData, PrivacyPart

from contacts_svc.features.activities.events import ACTIVITY_EVENTS
from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.date_occurrences.events import DATE_OCCURRENCE_EVENTS
from contacts_svc.features.duplicates.events import UNPUBLISHED as PAIR_EVENTS
from contacts_svc.features.facts.repository import tells_of
from contacts_svc.features.legal_holds.events import LEGAL_HOLD_EVENTS
from contacts_svc.features.merges.events import MERGE_EVENTS
from contacts_svc.features.privacy.usecases import erase_more, show_more
from contacts_svc.features.relating.events import RELATIONSHIP_EVENTS

_PART = PrivacyPart(
    "contacts",
    PersonalData(
        holdings=(
            Holding(events=CONTACT_EVENTS, member="id"),
            Holding(events=ACTIVITY_EVENTS, member="contact_id"),
            Holding(events=CONSENT_EVENTS, member="contact_id"),
            Holding(events=RELATIONSHIP_EVENTS, member="contact_id"),
            Holding(events=RELATIONSHIP_EVENTS, member="related_contact_id"),
            Holding(events=DATE_OCCURRENCE_EVENTS, member="contact_id"),
            Holding(events=LEGAL_HOLD_EVENTS, member="contact_id"),
            Holding(events=MERGE_EVENTS, member="into_id"),
            Holding(events=PAIR_EVENTS, member="older_id", shown=False),
            Holding(events=PAIR_EVENTS, member="newer_id", shown=False),
        ),
        show_more=show_more,
        erase_more=erase_more,
        has_copies=tells_of,
    ),
)

FEATURE = Feature(consumers=(_PART.consumer,), timers=_PART.timers, topics=_PART.topics)
