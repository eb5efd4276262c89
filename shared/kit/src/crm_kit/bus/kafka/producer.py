"""aiokafka's producer, with an end to its patience."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]  # aiokafka ships no types
from aiokafka.errors import (  # type: ignore[import-untyped]  # as above
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from crm_kit.bus.access import KafkaAccess
from crm_kit.bus.port import Record, RecordTooLarge, Unavailable, record_size

logger = logging.getLogger(__name__)

_CONNECTED_WITHIN = 15.0
_STOPPED_WITHIN = 5.0


class Producer:
    """An idempotent producer that can be given up.

    aiokafka never expires a batch of an idempotent producer: without a broker a send waits for ever, and `stop`
    with it. So the waiting is bounded here, and a producer that failed is aborted, never used again: a lost batch
    would leave a hole in its sequence numbers, and a forgotten one would be sent late, after its own repetition.
    """

    def __init__(self, bootstrap_servers: str, *, access: KafkaAccess, acknowledged_within: float) -> None:
        """Raises OSError where a file of `access` cannot be read."""
        self._acknowledged_within = acknowledged_within
        self._producer: Any = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            max_batch_size=262_144,
            request_timeout_ms=round(acknowledged_within * 1000),
            metadata_max_age_ms=60_000,
            **access.options(),
        )
        self._aborted = asyncio.Event()
        self._sending = 0

    @property
    def usable(self) -> bool:
        """False after `abort`."""
        return not self._aborted.is_set()

    async def start(self) -> None:
        """Connect; aborted if that fails."""
        try:
            async with asyncio.timeout(_CONNECTED_WITHIN):
                await self._producer.start()
        except BaseException:
            await self.abort()
            raise

    async def send(self, records: Sequence[Record]) -> None:
        """Send in order and await all acknowledgements; on any failure the producer is aborted."""
        self._sending += 1
        try:
            sending = asyncio.ensure_future(self._send(records))
            aborted = asyncio.ensure_future(self._aborted.wait())
            try:
                await asyncio.wait(
                    {sending, aborted},
                    timeout=self._acknowledged_within,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                aborted.cancel()
                sending.cancel()  # without effect if it is done
            if not sending.done() or sending.cancelled():
                raise Unavailable(f"Kafka did not acknowledge within {self._acknowledged_within:.0f} s.")
            sending.result()
        except (RecordTooLarge, asyncio.CancelledError):
            raise
        except Exception:
            await self.abort()
            raise
        finally:
            self._sending -= 1

    async def stop(self) -> None:
        """Close in order if nothing is under way, else abort; bounded."""
        if not self.usable:
            return
        if not self._sending:
            stopping = asyncio.create_task(self._producer.stop(), name="kafka-producer-stop")
            _, pending = await asyncio.wait([stopping], timeout=_STOPPED_WITHIN)
            if not pending:
                if stopping.exception() is not None:
                    logger.info("The Kafka producer stopped with %r", stopping.exception())
                self._aborted.set()
                return
            stopping.cancel()
        await self.abort()

    async def abort(self) -> None:
        """Give up: whatever is not acknowledged by now will not be sent by this producer any more."""
        if not self.usable:
            return
        self._aborted.set()
        producer = self._producer
        # aiokafka has no public way to stop without flushing (its issue 773), hence its inner parts.
        producer._closed = True
        tasks = [asyncio.ensure_future(producer.client.close())]
        sender = producer._sender and producer._sender.sender_task
        if sender:
            sender.cancel()
            tasks.append(sender)
        _, pending = await asyncio.wait(tasks, timeout=_STOPPED_WITHIN)
        if pending:
            logger.warning("The Kafka producer left %d tasks behind.", len(pending))

    async def _send(self, records: Sequence[Record]) -> None:
        acknowledgements: list[asyncio.Future[Any]] = []
        refusal: RecordTooLarge | None = None
        for record in records:
            headers = [(name, text.encode()) for name, text in record.headers.items()]
            try:
                acknowledgement = await self._producer.send(
                    record.topic, value=record.value, key=record.key.encode(), headers=headers
                )
            except (MessageSizeTooLargeError, RecordListTooLargeError):
                refusal = RecordTooLarge(record, record_size(record))
                break
            acknowledgements.append(acknowledgement)
        await asyncio.gather(*acknowledgements)
        if refusal is not None:
            raise refusal
