"""The journal's subscription: every event that clients may know of, of every service and of the gateway."""

import asyncio
from collections.abc import Sequence
from typing import Final
from weakref import WeakSet

from crm_contracts.envelope import Event
from crm_contracts.registry import RESTATED, TOPICS
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer

from gateway.features.webhook_journal import repository

_SOON_SECONDS: Final = 0.003

_waiting: WeakSet[asyncio.Event] = WeakSet()


def news() -> asyncio.Event:
    """Set soon after this process has appended something; other processes are to be asked for now and then."""
    event = asyncio.Event()
    _waiting.add(event)
    return event


async def _append(session: WriteSession, events: Sequence[Event]) -> None:
    """What is told once more has no news; the tombstone behind a deletion has none either."""
    fresh = [event for event in events if event.action != RESTATED and (event.entity is not None or event.erased)]
    if fresh and await repository.append(session, fresh):
        # By then the batch is committed, or the next look finds it.
        asyncio.get_running_loop().call_later(_SOON_SECONDS, _tell)


def _tell() -> None:
    for event in _waiting:
        event.set()


JOURNAL = Consumer(name="gateway.webhooks", topics=TOPICS, handle=_append, order="pass", passes_on=True)
