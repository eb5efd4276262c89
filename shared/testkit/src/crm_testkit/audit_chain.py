"""Chains of the toy service: entries written and sealed, and an owner who may do with them what nobody else may."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
from crm_kit.audit import entry, record
from crm_kit.audit.sealer import AuditSealer
from crm_kit.audit.verify import Anchor, Report, verify

from crm_testkit.toy_service import NoteId
from crm_testkit.toy_service.fixtures import Parts

Row = dict[str, Any]
LENGTH = 8


def sealer_of(parts: Parts) -> AuditSealer:
    return AuditSealer(parts.system, "toy", timedelta(days=365))


async def write_entries(parts: Parts, tenant_id: str, number: int, **details: object) -> list[str]:
    """Entries of as many notes, in one transaction; the notes' ids."""
    ids = [NoteId.new() for _ in range(number)]
    async with parts.app.write(tenant_id) as session:
        told = {"title": "before the fact", **details}
        await record(session, [entry("note", "read", entity_id=each, version=3, details=told) for each in ids])
    return list(ids)


@dataclass(frozen=True)
class Chain:
    """One tenant's chain, in the hands of the tables' owner."""

    parts: Parts
    tenant_id: str
    entity_ids: Sequence[str]

    @asynccontextmanager
    async def owner(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        connection = await asyncpg.connect(self.parts.urls.owner)
        try:
            await connection.execute("select set_config('app.tenant_id', $1, false)", self.tenant_id)
            yield connection
        finally:
            await connection.close()

    async def run(self, *statements: str) -> None:
        async with self.owner() as connection:
            for statement in statements:
                await connection.execute(statement)

    async def rows(self) -> list[Row]:
        async with self.owner() as connection:
            return [dict(row) for row in await connection.fetch("select * from audit_entry order by sequence")]

    async def verify(self, *anchors: Anchor) -> Report:
        reports = verify(self.parts.system, "toy", tenant_id=self.tenant_id, anchors=anchors)
        [report] = [report async for report in reports]
        return report

    async def faults(self, *anchors: Anchor) -> list[tuple[str, int]]:
        return [(fault.kind, fault.sequence) for fault in (await self.verify(*anchors)).faults]

    async def anchor(self) -> Anchor:
        return Anchor.parse((await self.verify()).head)
