"""How many statements an operation takes, as PostgreSQL counts them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.provision import ServiceUrls

CountStatements = Callable[[Callable[[], Awaitable[object]]], Awaitable[int]]
"""Does something, and says how many statements the application sent meanwhile, BEGIN and COMMIT among them."""

_COUNT: Final = """
    select coalesce(sum(calls), 0)::int from pg_stat_statements s
     where dbid = (select oid from pg_database where datname = current_database())
       and userid = (select oid from pg_roles where rolname = current_database() || '_app') and toplevel
"""


@asynccontextmanager
async def counting_statements(urls: ServiceUrls, server: EmbeddedPostgres) -> AsyncIterator[CountStatements]:
    """Of the role that serves requests, in its database, whatever sends them."""
    url = urlunsplit(urlsplit(server.superuser_url())._replace(path=urlsplit(urls.app).path))
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("create extension if not exists pg_stat_statements")

        async def counted(do: Callable[[], Awaitable[object]]) -> int:
            before: int = await connection.fetchval(_COUNT)
            await do()
            after: int = await connection.fetchval(_COUNT)
            return after - before

        yield counted
    finally:
        await connection.close()
