"""When each key was last used, to the hour: noted in memory, written now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

import structlog
from crm_contracts.ids import ApiKeyId, prefix_of
from crm_kit.db.models import utc_now
from crm_kit.http.principal import Principal

FLUSH_SECONDS: Final = 30.0

WriteUsage = Callable[[str, str, datetime], Awaitable[None]]
"""Stores that a tenant's key was used at a time."""

log = structlog.get_logger(__name__)


class KeyUsage:
    """`record` costs a dictionary entry; `run` writes. What a crash loses is at most FLUSH_SECONDS of it."""

    def __init__(self, write: WriteUsage) -> None:
        self._write = write
        self._used: dict[tuple[str, str], datetime] = {}

    def record(self, principal: Principal) -> None:
        """Of people nothing is recorded."""
        credential = principal.credential
        if principal.tenant_id is None or (principal.tenant_id, credential) in self._used:
            return
        if prefix_of(credential) == ApiKeyId.prefix:
            self._used[(principal.tenant_id, credential)] = utc_now()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Writes what was recorded since the last time; a failure is logged and that use is forgotten."""
        used, self._used = self._used, {}
        for (tenant_id, key_id), at in used.items():
            try:
                await self._write(tenant_id, key_id, at)
            except Exception as error:
                with suppress(Exception):
                    log.warning("key_usage_not_written", error=str(error))
                return
