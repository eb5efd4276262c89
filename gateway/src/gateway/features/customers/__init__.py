"""Customers: one view of each, composed of what all services know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from crm_kit.manifest import Feature
from crm_kit.merging import MergedReferences
from crm_kit.runtime import Runtime
from fastapi import FastAPI

from gateway.features.customers import models  # noqa: F401  # so that its tables are in the metadata
from gateway.features.customers.backlog import compose_stale
from gateway.features.customers.consumers import CUSTOM_FIELDS, MERGES, OWNERS, VIEW
from gateway.features.customers.declared_fields import KnownFields
from gateway.features.customers.fast_view import FAST_VIEW
from gateway.features.customers.freshness import measure_stale_views
from gateway.features.customers.live import LiveComposer
from gateway.features.customers.reading import open_reader
from gateway.features.customers.redacted_views import RedactedViews
from gateway.features.customers.router import router
from gateway.features.customers.search.filling import fill_search
from gateway.upstream import open_services


@asynccontextmanager
async def _lifespan(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
    async with open_services(app, runtime), open_reader(runtime) as reader:
        app.state.view_reader = reader
        app.state.redacted_views = RedactedViews()
        app.state.known_fields = KnownFields(runtime.database, runtime.siblings)
        app.state.live_composer = LiveComposer(
            runtime.database, app.state.services, app.state.settings.live_deadline_seconds
        )
        yield


FEATURE = Feature(
    router=router,
    fast_routes=lambda: (FAST_VIEW,),
    consumers=(VIEW, OWNERS, MERGES, CUSTOM_FIELDS),
    workers={"stale-views": compose_stale, "search-filling": fill_search},
    timers=MergedReferences().timers,
    lifespan=_lifespan,
    measures=(measure_stale_views,),
)
