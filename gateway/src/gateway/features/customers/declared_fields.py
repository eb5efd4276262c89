"""The custom fields that a tenant has declared, as the gateway knows them: for seconds, as roles are."""

import time
from typing import Final

from crm_kit.custom_fields import DeclaredFields, copied_custom_fields
from crm_kit.db.models import utc_now
from crm_kit.db.session import Database
from crm_kit.http.principal import Principal
from crm_kit.siblings import Siblings

from gateway.access.memory import Memory
from gateway.features.customers.sight import Sight, sight_of

_OF_NOBODY: Final[DeclaredFields] = {}


class KnownFields:
    """Of the processes of a port."""

    def __init__(self, database: Database, siblings: Siblings) -> None:
        self._database = database
        self._memory: Memory[str, DeclaredFields] = Memory(time.monotonic, siblings, "declared fields")

    def peek(self, tenant_id: str) -> DeclaredFields | None:
        """None where they must be read."""
        return self._memory.peek(tenant_id)

    async def of(self, tenant_id: str | None) -> DeclaredFields:
        async def find() -> DeclaredFields:
            async with self._database.read(tenant_id) as session:
                return await copied_custom_fields(session)

        return (await self._memory.get(tenant_id, find) if tenant_id is not None else None) or _OF_NOBODY

    async def sight(self, principal: Principal, kind: str) -> Sight | None:
        """As `sight_of`, of now."""
        sight = sight_of(principal, kind, utc_now())
        if sight is not None:
            sight.declared = await self.of(principal.tenant_id)
        return sight
