"""Replaying and discarding. The letter is locked before, and the caller commits."""

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from crm_kit.audit.entries import Entry, entry
from crm_kit.audit.writing import record
from crm_kit.db.session import WriteSession, storable
from crm_kit.dead_letters import repository
from crm_kit.dead_letters.errors import ConsumerGone
from crm_kit.dead_letters.repository import Row
from crm_kit.dead_letters.schemas import Replay
from crm_kit.errors import NotFound, Text
from crm_kit.inbox.applying import Consumer, read_event, try_event
from crm_kit.inbox.parking import lock_letters
from crm_kit.observability import metrics

_AT_ONCE: Final = 500
"""Letters that one replay applies: it is one transaction, and somebody waits for it."""

log = structlog.get_logger(__name__)


class LetterBox:
    """The letters of one service; `consumers` are those that can apply them."""

    def __init__(self, service: str, consumers: Sequence[Consumer]) -> None:
        self.service = service
        self._consumers: Mapping[str, Consumer] = {consumer.name: consumer for consumer in consumers}

    async def lock(self, session: WriteSession, letter_id: str) -> Row:
        """The letter; until the transaction ends nobody else changes the letters of its key. Raises NotFound."""
        row = await repository.find(session, letter_id)
        if row is not None:
            await lock_letters(session, row.consumer or row.stage, [(row.topic, row.key)])
            row = await repository.find(session, letter_id)  # who held the lock may have replayed it
        if row is None:
            raise NotFound
        return row

    async def replay(self, session: WriteSession, letter: Row) -> Replay:
        """Applies the letter once more, and where later events wait behind it, all of its key from the earliest on.

        What cannot be applied stays, with its new error. Raises ConsumerGone.
        """
        if letter.stage == "outbox":
            await repository.release(session, letter.id)
            result = Replay(outcome="released", applied=0, remaining=0, error=None)
        else:
            consumer = self._consumers.get(letter.consumer)
            if consumer is None:
                raise ConsumerGone(
                    Text(f"Nothing here is called {letter.consumer}.", f"此处没有名为 {letter.consumer} 的消费者。")
                )
            if consumer.order == "wait":
                result = await self._replay_key(session, consumer, letter.topic, letter.key)
            else:
                rows = [await repository.parked(session, letter.id)]
                result = await self._replay(session, consumer, rows)
        await record(session, [_told(letter, "replayed", outcome=result.outcome)])
        metrics.DEAD_LETTERS_REPLAYED.labels(self.service, letter.stage, letter.consumer or "", result.outcome).inc()
        log.info("dead_letter_replayed", letter=letter.id, outcome=result.outcome, applied=result.applied)
        return result

    async def discard(self, session: WriteSession, letter: Row) -> None:
        """Deletes the letter. What waited behind nothing else than it is applied at once: the key goes on."""
        if letter.stage == "outbox":
            await repository.discard_unpublished(session, letter.id)
        else:
            await repository.remove_parked(session, letter.id)
            consumer = self._consumers.get(letter.consumer)
            if consumer is not None and consumer.order == "wait":
                first = await repository.parked_of_key(session, consumer.name, letter.topic, letter.key, 1)
                if first and first[0].kind == "waiting":
                    await self._replay_key(session, consumer, letter.topic, letter.key)
        await record(session, [_told(letter, "discarded")])
        metrics.DEAD_LETTERS_DISCARDED.labels(self.service, letter.stage, letter.consumer or "").inc()
        log.info("dead_letter_discarded", letter=letter.id, topic=letter.topic)

    async def _replay_key(self, session: WriteSession, consumer: Consumer, topic: str, key: str) -> Replay:
        rows = await repository.parked_of_key(session, consumer.name, topic, key, _AT_ONCE)
        return await self._replay(session, consumer, rows)

    async def _replay(self, session: WriteSession, consumer: Consumer, rows: Sequence[Row]) -> Replay:
        """In the given order, up to the first that cannot be applied."""
        applied, failure = 0, None
        for row in rows:
            reading = read_event(consumer, consumer.topic(row.topic), row.headers, row.payload)
            failure = reading.error
            if reading.event is not None:
                failure = await try_event(consumer, self.service, session, reading.event)
            if failure:
                await repository.note_failure(session, row.id, reading.kind, storable(failure))
                break
            await repository.remove_parked(session, row.id)
            applied += 1
        remaining = await repository.count_of_key(session, consumer.name, rows[0].topic, rows[0].key)
        outcome = "failed" if failure else "applied"
        return Replay(outcome=outcome, applied=applied, remaining=remaining, error=failure or None)


def _told(letter: Row, action: str, **more: object) -> Entry:
    """For the audit log: not what the letter holds, which is an event that other entries tell of."""
    details = {"stage": letter.stage, "consumer": letter.consumer, "topic": letter.topic, "key": letter.key, **more}
    return entry("dead_letter", action, entity_id=letter.id, version=letter.version, details=details)
