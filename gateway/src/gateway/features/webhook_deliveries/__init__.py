"""Webhook deliveries: what was told to whom, attempt by attempt; telling it, by push, by pull and as a stream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from crm_kit.manifest import Feature
from crm_kit.runtime import Runtime
from fastapi import FastAPI

from gateway.features.webhook_deliveries import models  # noqa: F401  # so that its tables are in the metadata
from gateway.features.webhook_deliveries.check import look_at_webhooks
from gateway.features.webhook_deliveries.dispatcher import deliver
from gateway.features.webhook_deliveries.gauge import measure_webhooks
from gateway.features.webhook_deliveries.router import router
from gateway.features.webhook_journal.news import share_news


@asynccontextmanager
async def _lifespan(_app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
    share_news(runtime.siblings)
    yield


FEATURE = Feature(
    router=router,
    workers={"webhooks": deliver},
    lifespan=_lifespan,
    measures=(measure_webhooks,),
    checks=(look_at_webhooks,),
)
