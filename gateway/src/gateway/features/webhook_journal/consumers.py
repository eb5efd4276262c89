"""The journal's subscription: every event that clients may know of, of every service and of the gateway."""

from collections.abc import Sequence

from crm_contracts.envelope import Event
from crm_contracts.registry import RESTATED, TOPICS
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer

from gateway.features.webhook_journal import repository


async def _append(session: WriteSession, events: Sequence[Event]) -> None:
    """What is told once more has no news; the tombstone behind a deletion has none either."""
    fresh = [event for event in events if event.action != RESTATED and (event.entity is not None or event.erased)]
    if fresh:
        await repository.append(session, fresh)


JOURNAL = Consumer(
    name="gateway.webhooks",
    topics=TOPICS,
    handle=_append,
    order="pass",
    # A delivery may be a tenth of a second later; the views, whose projection shares the process, may not.
    gather_seconds=0.1,
    passes_on=True,
)
