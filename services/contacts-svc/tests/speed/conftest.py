"""The database of the service under test, for what no client can do."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest_asyncio
from crm_kit.db.embedded import EmbeddedPostgres
from crm_testkit.service import ServiceUnderTest


@pytest_asyncio.fixture
async def superuser(
    service: ServiceUnderTest, postgres_server: EmbeddedPostgres
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    database = urlsplit(service.urls.app).path
    connection = await asyncpg.connect(urlunsplit(urlsplit(postgres_server.superuser_url())._replace(path=database)))
    yield connection
    await connection.close()
