"""Reading entries, sealed or not, newest first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crm_contracts.ids import AuditEntryId
from sqlalchemy import Table, select, tuple_

from crm_kit.audit.entries import read_changes
from crm_kit.audit.schemas import AuditEntry, EntryQuery, Seal
from crm_kit.audit.tables import AUDIT_ENTRY, AUDIT_UNSEALED
from crm_kit.db.session import ReadSession


async def page(session: ReadSession, service: str, query: EntryQuery) -> list[AuditEntry]:
    """The tenant's entries that the query asks for."""
    # The unsealed first: one that is sealed in between is found twice then, and never missed.
    found = await _rows(session, AUDIT_UNSEALED, query) | await _rows(session, AUDIT_ENTRY, query)
    newest = sorted(found.values(), key=lambda row: (row["at"], row["id"]), reverse=True)
    return [_told(row, service) for row in newest[: query.limit]]


async def newest_of(
    session: ReadSession, entity_id: str, before: tuple[datetime, AuditEntryId] | None, limit: int
) -> list[Mapping[str, Any]]:
    """The tenant's entries about one entity, before the place of another entry, newest first; `changes` as `changes_of` wrote them."""
    at, entry_id = before if before is not None else (None, None)
    query = EntryQuery(entity_id=entity_id, before_at=at, before_id=entry_id, limit=limit)
    found = await _rows(session, AUDIT_UNSEALED, query) | await _rows(session, AUDIT_ENTRY, query)
    return sorted(found.values(), key=lambda row: (row["at"], row["id"]), reverse=True)[:limit]


async def _rows(session: ReadSession, table: Table, query: EntryQuery) -> dict[str, Mapping[str, Any]]:
    c = table.c
    statement = select(table).where(c.tenant_id == session.tenant_id).order_by(c.at.desc(), c.id.desc())
    for name in ("actor", "resource", "entity_id", "action"):
        if (wanted := getattr(query, name)) is not None:
            statement = statement.where(c[name] == wanted)
    if query.since is not None:
        statement = statement.where(c.at >= query.since)
    if query.until is not None:
        statement = statement.where(c.at < query.until)
    if query.before_at is not None and query.before_id is not None:
        statement = statement.where(tuple_(c.at, c.id) < tuple_(query.before_at, query.before_id))
    rows = (await session.execute(statement.limit(query.limit))).mappings()
    return {row["id"]: dict(row) for row in rows}


def _told(row: Mapping[str, Any], service: str) -> AuditEntry:
    sealed = None
    if "hash" in row:
        digest = row["changes_digest"]
        sealed = Seal(
            sequence=row["sequence"],
            hash=row["hash"].hex(),
            previous_hash=row["previous_hash"].hex(),
            changes_digest=None if digest is None else digest.hex(),
        )
    return AuditEntry(**{**row, "changes": read_changes(row["changes"])}, service=service, seal=sealed)
