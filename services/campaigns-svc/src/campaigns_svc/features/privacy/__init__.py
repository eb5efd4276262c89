"""What this service holds of persons, and its part of the requests about it: how many messages were sent stays."""

from crm_kit.manifest import Feature
from crm_kit.privacy import Holding, PersonalData, PrivacyPart

from campaigns_svc.features.audience.repository import tells_of
from campaigns_svc.features.messages.events import MESSAGE_EVENTS
from campaigns_svc.features.messages.repository import TELLS_OF_SOMEBODY
from campaigns_svc.features.privacy.usecases import strip_message
from campaigns_svc.features.segments.events import SEGMENT_MEMBER_EVENTS
from campaigns_svc.features.segments.usecases import erase_member
from campaigns_svc.features.unsubscribes.events import UNSUBSCRIBE_EVENTS

_PART = PrivacyPart(
    "campaigns",
    PersonalData(
        holdings=(
            Holding(events=SEGMENT_MEMBER_EVENTS, member="contact_id", remove=erase_member),
            Holding(events=MESSAGE_EVENTS, member="contact_id", strip=strip_message, unstripped=TELLS_OF_SOMEBODY),
            Holding(events=UNSUBSCRIBE_EVENTS, member="contact_id"),
        ),
        has_copies=tells_of,
    ),
)

FEATURE = Feature(consumers=(_PART.consumer,), timers=_PART.timers, topics=_PART.topics)
