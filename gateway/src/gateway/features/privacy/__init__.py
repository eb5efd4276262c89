"""The gateway owns nothing of persons; its receipt of an erasure tells that what it has copied is gone."""

from crm_kit.manifest import Feature
from crm_kit.privacy import PersonalData, PrivacyPart

from gateway.features.customers.repository import tells_of

_PART = PrivacyPart("gateway", PersonalData(has_copies=tells_of))

FEATURE = Feature(consumers=(_PART.consumer,), timers=_PART.timers, topics=_PART.topics)
