"""GET of one record as nearly every system asks for it: by a caller who may see everything of it.

One round trip for all who ask at once: `read_<table>` (`migration_ops.add_readers`) sets the tenant and reads.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crm_contracts.ids import prefix_of
from crm_contracts.types import Entity

from crm_kit.db.gathering import GatheredReads
from crm_kit.db.models import columns
from crm_kit.db.rows import read_row
from crm_kit.db.statement_pool import StatementPool
from crm_kit.http.fast_path import FastAnswer, FastRequest, FastRoute
from crm_kit.http.principal import Authenticator
from crm_kit.resources.resource import Resource

if TYPE_CHECKING:
    import asyncpg


class RowReader:
    """Rows by id, for all who ask at once. `query`: from `$1` a tenant and `$2` ids."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._rows: GatheredReads[asyncpg.Record] = GatheredReads(self._fetch)
        self._pool: StatementPool | None = None

    def use(self, pool: StatementPool) -> None:
        """While the application serves."""
        self._pool = pool

    def get(self, tenant_id: str, entity_id: str) -> "Awaitable[asyncpg.Record | None]":
        return self._rows.get(tenant_id, entity_id)

    async def _fetch(self, tenant_id: str, ids: Sequence[str]) -> "Mapping[str, asyncpg.Record]":
        assert self._pool is not None, "opened with the application"
        return {row["id"]: row for row in await self._pool.fetch(self._query, tenant_id, ids)}


class FastRead:
    """The fast route of one resource."""

    def __init__(self, resource: Resource[Any, Any, Any]) -> None:
        self._resource = resource
        self._permission = f"{resource.permission}:read"
        table = columns(resource.row)
        names = ", ".join(f'"{column.name}"' for column in table if column.computed is None)
        self._rows = RowReader(f"select {names} from read_{resource.row.__tablename__}($1, $2)")  # noqa: S608  # names of our own

    @property
    def route(self) -> FastRoute:
        prefix = f"/v1/{self._resource.plural}"
        return FastRoute(prefix, f"{prefix}/{{entity_id}}", self._answer)

    def use(self, pool: StatementPool) -> None:
        """While the application serves."""
        self._rows.use(pool)

    async def _answer(self, request: FastRequest) -> FastAnswer | None:
        if prefix_of(request.key) is None:  # PostgreSQL need not see it, and could not carry some of it
            return None
        authenticator: Authenticator = request.state.authenticator
        principal = authenticator.authenticate_known(request)
        if principal is None or principal.rights is not None or principal.tenant_id is None:
            return None
        if not principal.may(self._permission):
            return None
        row = await self._rows.get(principal.tenant_id, request.key)
        if row is None:
            return None
        return FastAnswer.of_version(request, row["version"], lambda: self._told(row))

    def _told(self, row: "asyncpg.Record") -> bytes:
        entity: Entity = self._resource.events.snapshot(read_row(self._resource.row, dict(row)))
        return entity.model_dump_json().encode()
