"""What the gateway holds of persons: what sources have sent about them. What it has copied of others goes by the owner's events."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from crm_contracts.types import format_timestamp
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.manifest import Feature
from crm_kit.privacy import Holding, PersonalData, PrivacyPart, Taken

from gateway.features.customers import repository as customers
from gateway.features.inbound_deliveries import repository as deliveries
from gateway.features.inbound_deliveries.usecases import readable
from gateway.features.sync_conflicts.events import SYNC_CONFLICT_EVENTS
from gateway.features.webhook_journal import repository as journal


async def _tells_of(session: ReadSession, contact_ids: Sequence[str]) -> bool:
    return await customers.tells_of(session, contact_ids) or await journal.tells_of(session, contact_ids)


async def _show_more(session: ReadSession, subject_ids: Sequence[str]) -> AsyncIterator[tuple[str, Any]]:
    """What was sent, as it was sent."""
    after = ""
    while page := await deliveries.page_of_persons(session, subject_ids, after):
        for row in page:
            encoding, body = readable(row["body"])
            told = {"id": row["id"], "topic": row["topic"], "received_at": format_timestamp(row["created_at"])}
            yield "inbound_delivery", {**told, "encoding": encoding, "body": body}
        after = page[-1]["id"]


async def _erase_more(session: WriteSession, subject_ids: Sequence[str]) -> Taken:
    counts = await deliveries.erase(session, list(subject_ids))
    return {subject_id: Counter({"inbound_delivery": count}) for subject_id, count in counts.items()}


_PART = PrivacyPart(
    "gateway",
    PersonalData(
        holdings=(Holding(events=SYNC_CONFLICT_EVENTS, member="contact_id"),),
        show_more=_show_more,
        erase_more=_erase_more,
        has_copies=_tells_of,
    ),
)

FEATURE = Feature(consumers=(_PART.consumer,), timers=_PART.timers, topics=_PART.topics)
