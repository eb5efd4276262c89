"""Inbound deliveries: what sources have sent, stored before it is answered, and what has become of it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from crm_contracts.ids import InboundSourceId
from crm_kit.db.statement_pool import open_statement_pool
from crm_kit.http.sealing import Unsealable
from crm_kit.inbox.applying import is_transient
from crm_kit.keyring import Keyring
from crm_kit.manifest import Feature
from crm_kit.runtime import Runtime
from fastapi import FastAPI

from gateway.access.rate_limit import RateLimiter
from gateway.features.inbound_deliveries.accepting import Acceptor, unavailable
from gateway.features.inbound_deliveries.check import look_at_inbound
from gateway.features.inbound_deliveries.gauge import measure_inbound
from gateway.features.inbound_deliveries.known_sources import KnownSource, KnownSources
from gateway.features.inbound_deliveries.models import SEALED
from gateway.features.inbound_deliveries.receiving import ROUTES, Receiver
from gateway.features.inbound_deliveries.router import router
from gateway.features.inbound_deliveries.worker import alarm_of, work_on_deliveries
from gateway.features.inbound_sources import repository as sources
from gateway.features.inbound_sources.events import INBOUND_SOURCE_EVENTS
from gateway.features.inbound_sources.models import InboundSourceRow
from gateway.features.inbound_sources.sealed_secrets import unseal
from gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

_CONNECTIONS = 4
_WINDOW_SECONDS = 60


@asynccontextmanager
async def _lifespan(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
    settings = runtime.settings
    assert isinstance(settings, GatewaySettings), "the gateway's manifest names its settings"

    async def find(source_id: str) -> KnownSource | None:
        try:
            async with runtime.system.read(None) as session:
                row = await sources.find(session, source_id)
        except Exception as error:
            raise (unavailable() if is_transient(error) else error) from error
        return _known(settings.keyring, row) if row is not None else None

    siblings, quota = runtime.siblings, settings.inbound_quota
    limiter = RateLimiter(quota, _WINDOW_SECONDS, time.monotonic, policy="inbound", siblings=siblings)
    by_transaction = settings.lends_by_transaction
    async with open_statement_pool(
        settings.database_url, size=_CONNECTIONS, name="gateway-inbound", by_transaction=by_transaction
    ) as pool:
        app.state.inbound_receiver = Receiver(
            KnownSources(find, time.monotonic, siblings), Acceptor(pool), limiter, alarm_of(runtime).ring
        )
        yield


def _known(keyring: Keyring, row: Any) -> KnownSource | None:
    """None where its secrets do not open, and so nothing of it can be verified: the installation's secret is another."""
    source = InboundSourceRow(**row._mapping)
    sealed = [source.sealed, *([source.previous_sealed] if source.previous_sealed is not None else [])]
    try:
        opened = tuple(unseal(keyring, InboundSourceId(source.id), one) for one in sealed)
    except Unsealable as error:
        log.error("source_not_opened", source_id=source.id, error=str(error))
        return None
    return KnownSource(
        source.tenant_id, source.region, INBOUND_SOURCE_EVENTS.snapshot(source), opened, source.previous_secret_until
    )


FEATURE = Feature(
    router=router,
    routes=ROUTES,
    workers={"inbound-deliveries": work_on_deliveries},
    uploads=lambda path: path.startswith("/in/"),
    lifespan=_lifespan,
    measures=(measure_inbound,),
    sealed=(SEALED,),
    checks=(look_at_inbound,),
)
