"""What this service holds of persons, and its part of the requests about it: that there was a ticket stays, and how long it took."""

from crm_kit.manifest import Feature
from crm_kit.privacy import Holding, PersonalData, PrivacyPart

from tickets_svc.features.privacy.usecases import strip_ticket
from tickets_svc.features.tickets.events import MESSAGE_EVENTS, TICKET_EVENTS

_PART = PrivacyPart(
    "tickets",
    PersonalData(
        holdings=(
            Holding(events=MESSAGE_EVENTS, member="contact_id"),
            Holding(events=MESSAGE_EVENTS, member="author_id"),
            Holding(events=TICKET_EVENTS, member="contact_id", strip=strip_ticket),
        )
    ),
)

FEATURE = Feature(consumers=(_PART.consumer,), timers=_PART.timers, topics=_PART.topics)
