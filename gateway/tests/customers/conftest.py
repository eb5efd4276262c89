"""One running gateway with the customer view alone, over real PostgreSQL and the embedded log; stand-in services."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from crm_contracts.ids import TenantId
from crm_kit.db.provision import ServiceUrls
from crm_kit.manifest import Feature, Manifest
from crm_kit.runtime import Runtime
from crm_testkit.customer_world import World
from crm_testkit.service import ServiceUnderTest, Tenant, running_service
from fastapi import FastAPI
from gateway.base import METADATA
from gateway.features import customers
from gateway.settings import GatewaySettings
from joserfc.jwk import OKPKey

import gateway

MIGRATIONS = Path(gateway.__file__).parents[2] / "migrations"


class StandIn:
    """A service that tells the facts of the worlds it is given; it can be slow, down or talk nonsense."""

    def __init__(self, service: str, worlds: dict[str, World]) -> None:
        self.service = service
        self.delay = 0.0
        self.mode = "up"
        self._worlds = worlds

    async def facts(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.delay)
        if self.mode == "down":
            assert request.transport is not None
            request.transport.abort()
        if self.mode == "nonsense":
            return web.json_response({"open_deals": 1})
        claims = request.headers["Authorization"].split(".")[1]
        tenant = json.loads(base64.urlsafe_b64decode(claims + "=="))["tenant"]
        asked = await request.json()
        world = self._worlds[tenant]
        customer_id = asked.get("id") or asked.get("account_id") or asked["contact_ids"][0]
        if customer_id not in world.entities:
            return web.json_response({}, status=404)
        return web.json_response(world.facts(customer_id)[self.service])


class Stack:
    """The gateway, and the services behind it."""

    def __init__(self, gateway: ServiceUnderTest, services: dict[str, StandIn], worlds: dict[str, World]) -> None:
        self.gateway = gateway
        self.services = services
        self._worlds = worlds

    def tenant(self, **options: Any) -> tuple[Tenant, World]:
        """A fresh tenant's client, and its world, which the stand-ins tell of."""
        tenant = self.gateway.tenant(TenantId.new(), **options)
        world = self._worlds[tenant.id] = World(tenant.id)
        return tenant, world

    async def publish(self, world: World) -> None:
        """Puts the world's new events onto the log, in the order of writing."""
        await self.gateway.publish(*world.events)
        world.events.clear()


@asynccontextmanager
async def _serving(stand_in: StandIn) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/internal/facts", stand_in.facts)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _mint(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
    assert isinstance(runtime.settings, GatewaySettings)
    app.state.mint = runtime.settings.mint()
    yield


@asynccontextmanager
async def _running_stack(urls: ServiceUrls, event_log_url: str, folder: Path, **settings: Any) -> AsyncIterator[Stack]:
    key_file = folder / "key.json"
    key_file.write_text(json.dumps(OKPKey.generate_key("Ed25519", {"kid": "gateway"}).as_dict(private=True)))
    manifest = Manifest(
        name="gateway",
        package="gateway",
        title="Relata gateway",
        summary="Customers",
        settings=GatewaySettings,
        metadata=METADATA,
        migrations=MIGRATIONS,
        features=(Feature(lifespan=_mint), customers.FEATURE),
        publishes=(),
    )
    worlds: dict[str, World] = {}
    services = {name: StandIn(name, worlds) for name in ("contacts", "pipeline", "tickets", "campaigns")}
    async with (
        _serving(services["contacts"]) as contacts_url,
        _serving(services["pipeline"]) as pipeline_url,
        _serving(services["tickets"]) as tickets_url,
        _serving(services["campaigns"]) as campaigns_url,
        running_service(
            manifest,
            urls,
            event_log_url,
            folder,
            signing_key_file=str(key_file),
            admin_key="only-for-tests-0123456789",
            contacts_url=contacts_url,
            pipeline_url=pipeline_url,
            tickets_url=tickets_url,
            campaigns_url=campaigns_url,
            live_deadline_seconds=0.5,
            consistency_wait_seconds=0.5,
            upstream_connections=5,
            **settings,
        ) as gateway,
    ):
        yield Stack(gateway, services, worlds)


@pytest_asyncio.fixture(scope="session")
async def stack(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stack]:
    folder = tmp_path_factory.mktemp("gateway")
    async with _running_stack(postgres_database("gateway"), event_log_database(), folder) as running:
        yield running


@pytest.fixture
def own_stack(
    postgres_database: Callable[[str], ServiceUrls], event_log_database: Callable[[], str], tmp_path: Path
) -> Callable[..., AbstractAsyncContextManager[Stack]]:
    """For tests that concern all tenants at once."""
    return lambda **settings: _running_stack(postgres_database("gateway"), event_log_database(), tmp_path, **settings)


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]:
    """Asks again and again until the answer is true, for ten seconds."""

    async def ask(question: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(10):
            while True:
                if answer := await question():
                    return answer
                await asyncio.sleep(0.02)

    return ask
