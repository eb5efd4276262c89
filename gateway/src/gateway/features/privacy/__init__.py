"""The gateway owns nothing of persons; its receipt of an erasure tells that what it has copied is gone."""

from collections.abc import Sequence

from crm_kit.db.session import ReadSession
from crm_kit.manifest import Feature
from crm_kit.privacy import PersonalData, PrivacyPart

from gateway.features.customers import repository as customers
from gateway.features.webhook_journal import repository as journal


async def _tells_of(session: ReadSession, contact_ids: Sequence[str]) -> bool:
    return await customers.tells_of(session, contact_ids) or await journal.tells_of(session, contact_ids)


_PART = PrivacyPart("gateway", PersonalData(has_copies=_tells_of))

FEATURE = Feature(consumers=(_PART.consumer,), timers=_PART.timers, topics=_PART.topics)
