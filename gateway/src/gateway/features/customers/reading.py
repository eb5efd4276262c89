"""The hot path: one prepared statement, one round trip for all who ask at once, and the stored bytes go out as they are.

Functions in the database (security invoker) set the tenant for their own transaction and then read, so row-level security
holds without a BEGIN and a COMMIT around it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, NamedTuple

import asyncpg
from crm_contracts.ids import prefix_of
from crm_contracts.types import MAX_INTEGER
from crm_kit.db.gathering import GatheredReads
from crm_kit.db.session import Database, ReadSession
from crm_kit.db.statement_pool import StatementPool, open_statement_pool
from crm_kit.errors import Erased, MalformedRequest, NotFound, Problem, Text, Unavailable
from crm_kit.http.principal import Principal
from crm_kit.inbox.applying import is_transient
from crm_kit.privacy import is_erased
from crm_kit.runtime import Runtime

from gateway.features.customers import repository
from gateway.features.customers.backlog import refresh_stale
from gateway.recent_writes import CONSISTENCY_TOKEN
from gateway.upstream import SERVICE_OF

_READ: Final = "select id, version, doc, stale from read_customer_views($1, $2)"
_READ_FRESH: Final = "select id, version, doc from read_fresh_customer_views($1, $2)"
_READ_FRESH_VERSIONS: Final = "select id, version from read_fresh_customer_versions($1, $2)"
_ATTEMPTS: Final = 3
_POLL_SECONDS: Final = (0.008, 0.04)

_MAX_TOKENS: Final = 20


class View(NamedTuple):
    version: int
    doc: bytes


class ViewReader:
    """Reads materialised views; one that is stale is composed first."""

    def __init__(self, pool: StatementPool, refresh: Callable[[str, str], Awaitable[None]]) -> None:
        self._pool = pool
        self._refresh = refresh
        self._rows: GatheredReads[asyncpg.Record] = GatheredReads(partial(self._fetch, _READ))
        self._fresh: GatheredReads[asyncpg.Record] = GatheredReads(partial(self._fetch, _READ_FRESH))
        self._fresh_versions: GatheredReads[asyncpg.Record] = GatheredReads(partial(self._fetch, _READ_FRESH_VERSIONS))

    async def read(self, tenant_id: str, customer_id: str) -> View | None:
        """Raises Unavailable."""
        row = await self._row(tenant_id, customer_id)
        if row["stale"]:
            await self._refresh(tenant_id, customer_id)
            row = await self._row(tenant_id, customer_id)
        return None if row["doc"] is None else View(row["version"], row["doc"])

    async def read_fresh(self, tenant_id: str, customer_id: str) -> View | None:
        """None for one that is not there, or is stale. Raises Unavailable."""
        row = await self._fresh.get(tenant_id, customer_id)
        return View(row["version"], row["doc"]) if row is not None else None

    async def read_fresh_version(self, tenant_id: str, customer_id: str) -> int | None:
        """Of what `read_fresh` would read, which PostgreSQL then need not send."""
        row = await self._fresh_versions.get(tenant_id, customer_id)
        return row["version"] if row is not None else None

    async def _row(self, tenant_id: str, customer_id: str) -> "asyncpg.Record":
        row = await self._rows.get(tenant_id, customer_id)
        assert row is not None, "the function answers one row for each"
        return row

    async def _fetch(self, query: str, tenant_id: str, customer_ids: Sequence[str]) -> "Mapping[str, asyncpg.Record]":
        try:
            rows = await self._pool.fetch(query, tenant_id, customer_ids)
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError) as error:
            raise _unavailable() from error
        except (asyncpg.TooManyConnectionsError, OSError, TimeoutError) as error:
            raise _unavailable() from error
        return {row["id"]: row for row in rows}


def _unavailable() -> Unavailable:
    detail = Text("The database does not answer; try again.", "数据库暂无响应，请重试。")
    return Unavailable(detail, headers={"Retry-After": "1"})


@asynccontextmanager
async def open_reader(runtime: Runtime) -> AsyncIterator[ViewReader]:
    settings = runtime.settings
    async with open_statement_pool(
        settings.database_url,
        size=settings.database_pool_size,
        name="gateway-views",
        by_transaction=settings.lends_by_transaction,
    ) as pool:
        yield ViewReader(pool, partial(refresh_view, runtime.database))


async def refresh_view(database: Database, tenant_id: str, customer_id: str) -> None:
    """Composes a view that is stale; one that cannot be composed stays as it is: the worker tells of it. Raises Unavailable."""
    fault: Exception | None = None
    for _ in range(_ATTEMPTS):  # the consumer's locks and these may come to wait for each other
        try:
            await refresh_stale(database, tenant_id, customer_id)
            return
        except Exception as error:
            if not is_transient(error):
                return
            fault = error
    raise _unavailable() from fault


def parse_consistency_token(header: str) -> dict[str, int]:
    """The versions of entities that the client has written: `<id>@<version>`, several with commas between.

    Raises MalformedRequest. Entities that no view shows are left out.
    """
    versions: dict[str, int] = {}
    parts = [part.strip() for part in header.split(",")]
    for part in parts:
        match = CONSISTENCY_TOKEN.fullmatch(part)
        prefix = prefix_of(match.group(1)) if match else None
        if match is None or prefix is None or len(parts) > _MAX_TOKENS or int(match.group(2)) > MAX_INTEGER:
            raise MalformedRequest(
                Text(
                    f"Consistency-Token: send back what a write answered, <id>@<version>; up to {_MAX_TOKENS}, with commas.",
                    f"Consistency-Token：请原样送回写操作返回的 <id>@<version>；最多 {_MAX_TOKENS} 个，用逗号分隔。",
                )
            )
        if prefix in SERVICE_OF:
            versions[match.group(1)] = max(int(match.group(2)), versions.get(match.group(1), 0))
    return versions


async def wait_for(database: Database, tenant_id: str, versions: Mapping[str, int], seconds: float) -> bool:
    """Whether the views have these versions in them, waiting up to `seconds`."""
    pause, longest = _POLL_SECONDS
    end = time.monotonic() + seconds
    while versions:
        async with database.read(tenant_id) as session:
            if await repository.has_reached(session, versions):
                return True
        if time.monotonic() + pause > end:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, longest)
    return True


async def absent_customer(session: ReadSession, caller: Principal, customer_id: str) -> Problem:
    """Why there is no such customer: Erased for who reads every contact, and so would have seen them, else NotFound."""
    rights = caller.rights
    reads_all = rights is None or rights.is_unlimited or rights.on("contacts").widest("read") == "all"
    if reads_all and prefix_of(customer_id) == "contact" and await is_erased(session, customer_id):
        return Erased()
    return no_such_customer()


def no_such_customer() -> NotFound:
    return NotFound(Text("There is no such customer.", "没有该客户。"))
