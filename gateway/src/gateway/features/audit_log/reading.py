"""The entries of all services and of the gateway, merged: newest first, page by page."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from crm_contracts.ids import AuditEntryId
from crm_kit.audit import repository
from crm_kit.audit.schemas import AuditEntry, EntryFilter, EntryList, EntryQuery
from crm_kit.custom_fields import copied_custom_fields
from crm_kit.db.session import Database
from crm_kit.http.principal import Principal

from gateway.features.audit_log.schemas import AuditLogFilter
from gateway.features.audit_log.visibility import visible
from gateway.upstream import SERVICES, Service, ServiceClient, UpstreamUnavailable

_OWN: Final = "gateway"
_PATH: Final = "/internal/audit-log"
_EXPORTED_AT_ONCE: Final = 200

Place = tuple[datetime, AuditEntryId]
"""An entry's place in the order: when it was written, and its id among those of one moment."""


@dataclass(frozen=True, slots=True)
class AuditReader:
    """Reads for one caller what one filter finds. `seconds`: how long a service may take for a page."""

    client: ServiceClient
    database: Database
    caller: Principal
    wanted: AuditLogFilter
    seconds: float

    async def page(self, after: Place | None, limit: int) -> tuple[list[AuditEntry], list[Service]]:
        """The newest `limit` that come after a place, and which services did not answer."""
        narrowed = {name: getattr(self.wanted, name) for name in EntryFilter.model_fields}
        before_at, before_id = after or (None, None)
        query = EntryQuery(**narrowed, before_at=before_at, before_id=before_id, limit=limit)
        services = [service for service in SERVICES if self.wanted.service in (None, service)]
        entries, degraded = await self._of_services(query, services)
        # Last, so that no connection is held while the services are asked.
        async with self.database.read(self.caller.tenant_id) as session:
            if self.wanted.service in (None, _OWN):
                entries += await repository.page(session, _OWN, query)
            declared = await copied_custom_fields(session) if self.caller.rights is not None else {}
        entries.sort(key=place_of, reverse=True)
        return [visible(entry, self.caller, declared) for entry in entries[:limit]], degraded

    async def _of_services(
        self, query: EntryQuery, services: Sequence[Service]
    ) -> tuple[list[AuditEntry], list[Service]]:
        params = urlencode(query.model_dump(mode="json", exclude_none=True))
        lists, degraded = await self.client.read_each(
            self.caller, services, f"{_PATH}?{params}", EntryList, headers={}, timeout=self.seconds
        )
        return [entry for one in lists for entry in one.data], degraded

    async def whole_page(self, after: Place | None) -> list[AuditEntry]:
        """As `page`, of every service. Raises UpstreamUnavailable."""
        entries, degraded = await self.page(after, _EXPORTED_AT_ONCE)
        if degraded:
            raise UpstreamUnavailable(degraded[0])
        return entries

    async def lines(self, first: list[AuditEntry]) -> AsyncIterator[bytes]:
        """All entries from the `first` page on, each a line of JSON. It breaks off where a service does not answer."""
        page = first
        while page:
            yield b"".join(entry.model_dump_json().encode() + b"\n" for entry in page)
            page = await self.whole_page(place_of(page[-1])) if len(page) == _EXPORTED_AT_ONCE else []


def place_of(entry: AuditEntry) -> Place:
    return entry.at, entry.id
