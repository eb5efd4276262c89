"""Works on what has come in: a few deliveries of each source at a time, so that none waits behind another's thousands.

Any number of processes may do this. What one of them has begun nobody else begins until its lease is over.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

import structlog
from crm_kit.observability.recurring import Recurring
from crm_kit.runtime import Runtime
from crm_kit.shutdown import finish
from crm_kit.siblings import Siblings

from gateway.features.inbound_deliveries import repository
from gateway.features.inbound_deliveries.digests import Digests
from gateway.features.inbound_deliveries.processing import DELIVERIES_FAILED, Processor
from gateway.features.inbound_deliveries.usecases import Ending, conclude
from gateway.features.inbound_sources import repository as sources
from gateway.features.inbound_sources.events import INBOUND_SOURCE_EVENTS
from gateway.settings import GatewaySettings
from gateway.upstream import ServiceClient

_IDLE_SECONDS: Final = 0.5
_SOURCES_AT_ONCE: Final = 4
_PAGE: Final = 8
_TOGETHER: Final = 4
_PURGE_SECONDS: Final = 600.0
_PURGED: Final = 500
_MANY: Final = 30
"""Deliveries in a second from which on there is little else done."""

_LONGEST_REST_SECONDS: Final = 0.5

log = structlog.get_logger(__name__)


class Alarm:
    """Rings for each delivery that is taken in at this port, by whichever process. `clock`: in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, siblings: Siblings | None = None) -> None:
        self._clock = clock
        self._siblings = siblings or Siblings()
        self._tell = self._siblings.channel("inbound-deliveries", self._ring, self._ring)
        self._event = asyncio.Event()
        self._rings: deque[float] = deque(maxlen=_MANY)

    def ring(self) -> None:
        self._ring()
        self._tell(None)
        self._siblings.wake()

    def _ring(self, _told: None = None) -> None:
        self._rings.append(self._clock())
        self._event.set()

    @property
    def is_busy(self) -> bool:
        """Whether much is coming in at this moment: senders wait, what they sent does not."""
        return self._pressure >= 1.0

    @property
    def _pressure(self) -> float:
        """How many come in a second, at present, in multiples of what is much."""
        if len(self._rings) < _MANY:
            return 0.0
        return 1.0 / max(self._clock() - self._rings[0], 0.01)

    def rest_after(self, took: float) -> float:
        """Seconds to rest after so many of work, so that who sends meanwhile is answered: the more come, the longer."""
        return min(took * self._pressure, _LONGEST_REST_SECONDS) if self.is_busy else 0.0

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return
        self._event.clear()


_ALARMS: Final[WeakKeyDictionary[Runtime, Alarm]] = WeakKeyDictionary()


def alarm_of(runtime: Runtime) -> Alarm:
    """Of a port: what was taken in there need not wait until the worker looks by itself."""
    return _ALARMS.setdefault(runtime, Alarm(siblings=runtime.siblings))


async def work_on_deliveries(runtime: Runtime) -> None:
    """Until cancelled; it survives whatever fails."""
    settings = runtime.settings
    assert isinstance(settings, GatewaySettings), "the gateway's manifest names its settings"
    client = ServiceClient(settings, settings.mint())
    worker = _Worker(runtime, settings, client)
    try:
        await worker.run()
    finally:
        await client.close()


class _Worker:
    def __init__(self, runtime: Runtime, settings: GatewaySettings, client: ServiceClient) -> None:
        self._runtime = runtime
        self._kept = timedelta(days=settings.inbound_retention_days)
        self._processor = Processor(runtime.database, client, Digests(runtime.database, settings.keyring))
        self._fault = Recurring()
        self._served: dict[tuple[str, str], float] = {}
        self._working: dict[tuple[str, str], asyncio.Task[int]] = {}

    async def run(self) -> None:
        purging = asyncio.create_task(self._purge_now_and_then())
        try:
            while True:
                began = await self._begin()
                ended = {place for place, task in self._working.items() if task.done()}
                busy = sum(self._working.pop(place).result() for place in ended)
                if self._working and not began and not busy:
                    await asyncio.wait(
                        self._working.values(), timeout=_IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                elif not self._working and not busy:
                    await alarm_of(self._runtime).wait(_IDLE_SECONDS)
        finally:
            tasks: list[asyncio.Task[Any]] = [purging, *self._working.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self) -> bool:
        """Whether there was a source to begin with: those that were not served for longest come first."""
        if len(self._working) >= (1 if alarm_of(self._runtime).is_busy else _SOURCES_AT_ONCE):
            return False
        try:
            async with self._runtime.system.read(None) as session:
                due = [place for place in await repository.due_sources(session) if place not in self._working]
            self._fault.is_over()
        except Exception as error:
            if self._fault.is_news(type(error).__name__):
                log.warning("deliveries_interrupted", error=str(error), kind=type(error).__name__)
            return False
        due.sort(key=lambda place: self._served.get(place, 0.0))
        if len(self._served) > 10 * (len(due) + 100):
            self._served.clear()
        for place in due[: _SOURCES_AT_ONCE - len(self._working)]:
            self._served[place] = time.monotonic()
            self._working[place] = asyncio.create_task(finish(self._serve(*place)))
        return bool(due)

    async def _serve(self, tenant_id: str, source_id: str) -> int:
        """A page of a source's deliveries; how many there were. Never raises."""
        try:
            return await self._page(tenant_id, source_id)
        except Exception as error:
            DELIVERIES_FAILED.inc()
            if self._fault.is_news(type(error).__name__):
                log.warning("deliveries_failed", source_id=source_id, error=str(error), kind=type(error).__name__)
            await asyncio.sleep(_IDLE_SECONDS)
            return 0

    async def _page(self, tenant_id: str, source_id: str) -> int:
        database = self._runtime.database
        async with database.write(tenant_id) as session:
            row = await sources.of_id(session, source_id)
            others = await sources.owned_by_others(session, source_id) if row is not None else {}
            claimed = await repository.claim(session, source_id, _PAGE)
            if row is None:
                for delivery in claimed:
                    await conclude(session, delivery["id"], Ending("ignored", "source_deleted"))
                return len(claimed)
            source, region = INBOUND_SOURCE_EVENTS.snapshot(row), row.region
        alarm = alarm_of(self._runtime)
        together = asyncio.Semaphore(1 if alarm.is_busy else _TOGETHER)

        async def one(delivery: dict[str, object]) -> None:
            async with together:
                began = time.monotonic()
                await self._processor.process(tenant_id, region, source, others, delivery)
                await asyncio.sleep(alarm.rest_after(time.monotonic() - began))

        results = await asyncio.gather(*map(one, claimed), return_exceptions=True)
        for failed in (result for result in results if isinstance(result, Exception)):
            DELIVERIES_FAILED.inc()
            log.warning("delivery_failed", source_id=source_id, error=str(failed), kind=type(failed).__name__)
        return len(claimed)

    async def _purge_now_and_then(self) -> None:
        while True:
            await self._purge()
            await asyncio.sleep(_PURGE_SECONDS)

    async def _purge(self) -> None:
        """Forgets what is older than it is to be kept, a page of a tenant at a time."""
        try:
            async with self._runtime.system.read(None) as session:
                tenants = await repository.tenants(session)
            for tenant_id in tenants:
                gone = _PURGED
                while gone == _PURGED:
                    async with self._runtime.database.write(tenant_id) as session:
                        gone = await repository.forget_expired(session, self._kept, _PURGED)
        except Exception as error:
            log.warning("deliveries_not_purged", error=str(error), kind=type(error).__name__)
