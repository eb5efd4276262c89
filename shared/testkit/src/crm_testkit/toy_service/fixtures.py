"""The toy service running, and its parts alone: a database and an event log with nothing running on them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from crm_contracts.ids import TenantId
from crm_kit.bus import TopicSpec
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.db.migrations import migrate
from crm_kit.db.provision import ServiceUrls
from crm_kit.db.session import Database

from crm_testkit.service import ServiceUnderTest, running_service
from crm_testkit.toy_service.contracts import NOTE
from crm_testkit.toy_service.manifest import MANIFEST


@pytest_asyncio.fixture(scope="session")
async def toy(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServiceUnderTest]:
    """The running service, one for all tests."""
    folder = tmp_path_factory.mktemp("toy")
    async with running_service(MANIFEST, postgres_database("toy"), event_log_database(), folder) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def service(toy: ServiceUnderTest) -> ServiceUnderTest:
    """The name that the conformance suite asks for."""
    return toy


@dataclass(frozen=True)
class Parts:
    """The toy service's database, with nothing running on it."""

    urls: ServiceUrls
    app: Database
    system: Database

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """As the system role, which sees all tenants' rows in the kit's tables that are open to it."""
        connection = await asyncpg.connect(self.urls.system)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    async def fetch_as(self, tenant_id: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """As the application, for one tenant."""
        connection = await asyncpg.connect(self.urls.app)
        try:
            await connection.execute("select set_config('app.tenant_id', $1, false)", tenant_id)
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    async def run_as_owner(self, statement: str) -> None:
        connection = await asyncpg.connect(self.urls.owner)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def terminate(self, superuser_url: str, role: Literal["app", "system"]) -> int:
        """Kills the server's side of this role's connections; how many there were."""
        connection = await asyncpg.connect(superuser_url)
        try:
            name = urlsplit(self.urls.app if role == "app" else self.urls.system).username
            rows = await connection.fetch(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", name
            )
            return len(rows)
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module")
async def parts(postgres_database: Callable[[str], ServiceUrls]) -> AsyncIterator[Parts]:
    urls = postgres_database("toy")
    await migrate(MANIFEST.migrations, MANIFEST.metadata, urls.owner)
    made = Parts(urls, Database(urls.app, pool_size=20), Database(urls.system, pool_size=8))
    yield made
    await made.app.close()
    await made.system.close()


@pytest_asyncio.fixture
async def log(event_log_database: Callable[[], str]) -> AsyncIterator[EmbeddedEventLog]:
    """An empty event log with the toy's topic."""
    made = EmbeddedEventLog(event_log_database(), compaction_interval=0)
    await made.start()
    await made.ensure_topics([TopicSpec(NOTE.name)])
    yield made
    await made.close()


@pytest.fixture
def tenant_id() -> str:
    return TenantId.new()
