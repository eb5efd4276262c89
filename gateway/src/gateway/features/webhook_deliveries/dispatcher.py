"""Starts a sender for each endpoint for which there is something to do. Of all processes one does; the others wait to take over.

It holds a lock on a connection of its own: who loses the connection loses the lock, and sends no more. By the same connection each
process hears what is new in the journals.
"""

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Final, cast

import structlog
from crm_kit.db.connecting import SESSION, Connection, connect
from crm_kit.observability.recurring import Recurring
from crm_kit.runtime import Runtime
from prometheus_client import Gauge

from gateway.features.webhook_deliveries import repository
from gateway.features.webhook_deliveries.means import Means
from gateway.features.webhook_deliveries.sending import Sender
from gateway.features.webhook_endpoints.usecases import sealer
from gateway.features.webhook_journal.news import CHANNEL, News, share_news, tell_readers
from gateway.settings import GatewaySettings
from gateway.upstream import ServiceClient

_LOCK: Final = 0x0B4F
_POLL_SECONDS: Final = 0.25
_IDLE_POLL_SECONDS: Final = 1.0
_STANDBY_SECONDS: Final = 1.0
_FORGET_SECONDS: Final = 300.0
_MAX_PAUSE_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 1.0
_SILENCE: Final = "60000ms"

SENDING = Gauge("crm_webhook_endpoints_sending", "Webhook endpoints that are being told something")

log = structlog.get_logger(__name__)


async def deliver(runtime: Runtime) -> None:
    """Until cancelled; survives the loss of the database."""
    await Dispatcher(runtime).run()


class Dispatcher:
    """The worker behind `deliver`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = cast("GatewaySettings", runtime.settings)
        self._senders: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._not_before: dict[tuple[str, str], float] = {}
        self._fault = Recurring()
        self._forgot_at = 0.0
        self._tell_siblings = share_news(runtime.siblings)

    async def run(self) -> None:
        pause = 0.1
        settings = {**SESSION, "idle_session_timeout": _SILENCE}
        while True:
            connection: Connection | None = None
            try:
                connection = await connect(
                    self._settings.system_database_url, timeout=10, command_timeout=30, server_settings=settings
                )
                await connection.add_listener(CHANNEL, lambda *heard: self._tell(str(heard[-1])))
                await self._stand_by(connection)
                pause = 0.1
                await self._dispatch(connection)
            except Exception as error:
                if self._fault.is_news(str(error)):
                    log.warning("webhooks_interrupted", error=str(error), kind=type(error).__name__)
            finally:
                await self._end_senders()
                if connection is not None:
                    with suppress(Exception):
                        connection.terminate()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _MAX_PAUSE_SECONDS)

    def _tell(self, tenant_id: str) -> None:
        tell_readers(tenant_id)
        self._tell_siblings(tenant_id)
        self._runtime.siblings.wake()

    async def _stand_by(self, connection: Connection) -> None:
        while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
            await asyncio.sleep(_STANDBY_SECONDS)
        self._fault.is_over()

    async def _dispatch(self, connection: Connection) -> None:
        client = ServiceClient(self._settings, self._settings.mint())
        news = News(None)
        try:
            async with self._settings.webhook_outbound().pool() as pool:
                means = Means(
                    self._runtime.database, client, pool, sealer(self._settings.keyring), self._settings
                )  # fmt: skip
                while True:
                    news.wake.clear()
                    found = [(row["tenant_id"], row["endpoint_id"]) for row in await connection.fetch(repository.WORK)]
                    self._start(means, found)
                    await self._forget_old()
                    wait = _POLL_SECONDS if self._senders or found else _IDLE_POLL_SECONDS
                    with suppress(TimeoutError):
                        await asyncio.wait_for(news.wake.wait(), wait)
        finally:
            await self._end_senders()
            await client.close()

    def _start(self, means: Means, found: list[tuple[str, str]]) -> None:
        now = time.monotonic()
        for each in found:
            if each in self._senders or self._not_before.get(each, 0.0) > now:
                continue
            self._not_before.pop(each, None)
            task = asyncio.create_task(Sender(means, *each).run())
            self._senders[each] = task
            task.add_done_callback(partial(self._ended, each))
        SENDING.set(len(self._senders))

    def _ended(self, of: tuple[str, str], task: "asyncio.Task[None]") -> None:
        self._senders.pop(of, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._not_before[of] = time.monotonic() + _AGAIN_SECONDS
            if self._fault.is_news(str(error)):
                log.warning("webhook_sender_interrupted", endpoint=of[1], error=str(error), kind=type(error).__name__)

    async def _end_senders(self) -> None:
        tasks = list(self._senders.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        self._senders.clear()

    async def _forget_old(self) -> None:
        if time.monotonic() - self._forgot_at < _FORGET_SECONDS:
            return
        self._forgot_at = time.monotonic()
        async with self._runtime.system.write(None) as session:
            await repository.forget_old(session, self._settings.webhook_retention_days)
