"""Seals entries into the chain of their tenant, and removes the oldest after their time.

Writers wait for nobody: the sealer takes what has been committed, in the order of the ids, which is that of time. An entry
that commits late is found in the next round and gets a later number. A tenant's entries are sealed by one process at a
time, under an advisory lock that ends with the transaction; entries, head and removal from the waiting ones commit
together, so that a crash leaves either all of it done or nothing.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from crm_contracts.ids import AuditEntryId
from sqlalchemy import text

from crm_kit.audit.chain import GENESIS, SALT_BYTES, changes_digest, entry_hash
from crm_kit.db.session import Database
from crm_kit.db.sql import Sql
from crm_kit.observability import metrics
from crm_kit.observability.recurring import Recurring

_PAUSE_SECONDS: Final = 1.0
_BATCH: Final = 500
_ANCHOR_SECONDS: Final = 600.0
_RETENTION_SECONDS: Final = 3600.0
_FORGET_BATCH: Final = 5000

# By the key, tenant after tenant: what waits may be many, and is asked for every second.
_WAITING = text(
    """
    with recursive waiting as (
        (select tenant_id, at from audit_unsealed order by tenant_id, id limit 1)
        union all
        select following.tenant_id, following.at
          from waiting
         cross join lateral (
               select tenant_id, at from audit_unsealed
                where tenant_id > waiting.tenant_id order by tenant_id, id limit 1) as following)
    select tenant_id, at as oldest from waiting order by at
    """
)
_LOCK = Sql("select pg_try_advisory_xact_lock(hashtextextended('audit ' || cast(:tenant_id as text), 0)) as mine")
_TAKE = Sql(
    """
    delete from audit_unsealed
     where tenant_id = :tenant_id
       and id in (select id from audit_unsealed where tenant_id = :tenant_id order by id limit :most)
    returning *
    """
)
_HEAD = Sql("select sequence, hash from audit_head where tenant_id = :tenant_id for update")
_MOVE_HEAD = Sql(
    """
    insert into audit_head (tenant_id, sequence, hash, base_hash, sealed_at)
    values (:tenant_id, :sequence, :hash, :genesis, now())
    on conflict (tenant_id) do update set sequence = excluded.sequence, hash = excluded.hash, sealed_at = now()
    """
)
_SEALED: Final = {
    "sequence": "bigint", "id": "text", "at": "timestamptz", "actor": "text", "via": "text", "request_id": "text",
    "trace_id": "text", "address": "text", "user_agent": "text", "resource": "text", "entity_id": "text",
    "version": "bigint", "action": "text", "changes": "text", "salt": "bytea", "changes_digest": "bytea",
    "previous_hash": "bytea", "hash": "bytea",
}  # fmt: skip
_STORE = Sql(
    f"insert into audit_entry (tenant_id, {', '.join(_SEALED)}) select cast(:tenant_id as text), sealed.*"  # noqa: S608 names
    f" from unnest({', '.join(f'cast(:{name} as {kind}[])' for name, kind in _SEALED.items())}) as sealed"
)
_HEADS = text("select tenant_id from audit_head order by tenant_id")
_FORGET = text("select audit_forget(:tenant_id, :before, :most, :entry_id, :actor)")

log = structlog.get_logger(__name__)


def seal(rows: Sequence[Mapping[str, Any]], service: str, sequence: int, head: bytes) -> list[dict[str, Any]]:
    """The rows as they follow, in their order, on a chain that has come to `sequence` and `head`."""
    sealed: list[dict[str, Any]] = []
    for row in rows:
        salt = None if row["changes"] is None else os.urandom(SALT_BYTES)
        digest = None if salt is None else changes_digest(salt, row["changes"])
        sequence += 1
        told = {**row, "salt": salt, "changes_digest": digest, "sequence": sequence, "previous_hash": head}
        head = told["hash"] = entry_hash(told, service, sequence, head)
        sealed.append(told)
    return sealed


def anchor(tenant_id: str, sequence: int, head: bytes) -> str:
    """A chain's end in one word, for `audit verify --expect`."""
    return f"{tenant_id}:{sequence}:{head.hex()}"


class AuditSealer:
    """Seals and forgets, until cancelled. `system` is the role that sees all tenants' entries.

    `kept`: how long entries stay. Every ten minutes, and at its end, it logs the heads that have moved: whoever keeps
    these lines elsewhere can tell a chain that was rewritten as a whole.
    """

    def __init__(self, system: Database, service: str, kept: timedelta) -> None:
        self._system = system
        self._service = service
        self._kept = kept
        self._moved: dict[str, str] = {}
        self._fault = Recurring()
        metrics.AUDIT_SEALED.labels(service)
        metrics.AUDIT_PURGED.labels(service)
        for work in ("sealing", "retention"):
            metrics.AUDIT_FAILURES.labels(service, work)

    async def run(self) -> None:
        """Runs until cancelled; whatever fails is tried again."""
        anchors_at = time.monotonic() + _ANCHOR_SECONDS
        retention_at = time.monotonic()
        try:
            while True:
                await self._try("sealing", self.seal_all)
                if time.monotonic() >= retention_at:
                    retention_at = time.monotonic() + _RETENTION_SECONDS
                    await self._try("retention", self.forget_old)
                if time.monotonic() >= anchors_at:
                    anchors_at = time.monotonic() + _ANCHOR_SECONDS
                    self._log_anchors()
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._log_anchors()

    async def _try(self, work: str, do: Any) -> None:
        try:
            await do()
        except Exception as error:
            metrics.AUDIT_FAILURES.labels(self._service, work).inc()
            if self._fault.is_news(f"{work} {type(error).__name__}"):
                log.warning("audit_interrupted", work=work, error=str(error), kind=type(error).__name__)

    async def seal_all(self) -> int:
        """Seals everything that waits now; how many entries. One tenant's fault keeps back no other's."""
        async with self._system.read(None) as session:
            waiting = list(await session.execute(_WAITING))
        oldest = (datetime.now(UTC) - waiting[0].oldest).total_seconds() if waiting else 0.0
        metrics.AUDIT_UNSEALED_AGE.labels(self._service).set(max(0.0, oldest))
        sealed, failure = 0, None
        for row in waiting:
            try:
                while done := await self._seal(row.tenant_id):
                    sealed += done
                    if done < _BATCH:
                        break
            except Exception as error:
                failure = error
        if failure is not None:
            raise failure
        return sealed

    async def _seal(self, tenant_id: str) -> int:
        async with self._system.write(None) as session:
            if not (await session.fetch(_LOCK, {"tenant_id": tenant_id}))[0]["mine"]:
                return 0
            rows = [dict(row) for row in await session.fetch(_TAKE, {"tenant_id": tenant_id, "most": _BATCH})]
            if not rows:
                return 0
            rows.sort(key=lambda row: row["id"])
            found = await session.fetch(_HEAD, {"tenant_id": tenant_id})
            sequence, head = (found[0]["sequence"], found[0]["hash"]) if found else (0, GENESIS)
            sealed = seal(rows, self._service, sequence, head)
            stored: dict[str, Any] = {name: [row[name] for row in sealed] for name in _SEALED}
            await session.fetch(_STORE, {"tenant_id": tenant_id, **stored})
            last = {"sequence": sealed[-1]["sequence"], "hash": sealed[-1]["hash"]}
            await session.fetch(_MOVE_HEAD, {"tenant_id": tenant_id, "genesis": GENESIS, **last})
        self._moved[tenant_id] = anchor(tenant_id, last["sequence"], last["hash"])
        metrics.AUDIT_SEALED.labels(self._service).inc(len(sealed))
        return len(sealed)

    async def forget_old(self) -> int:
        """Removes entries after their time; how many. An entry of the log itself tells of it."""
        before = datetime.now(UTC) - self._kept
        async with self._system.read(None) as session:
            tenants = (await session.scalars(_HEADS)).all()
        removed = 0
        for tenant_id in tenants:
            gone = _FORGET_BATCH
            while gone == _FORGET_BATCH:
                values = {"tenant_id": tenant_id, "before": before, "most": _FORGET_BATCH}
                told = {"entry_id": AuditEntryId.new(), "actor": f"service/{self._service}"}
                async with self._system.write(None) as session:
                    gone = int(await session.scalar(_FORGET, values | told))
                removed += gone
        metrics.AUDIT_PURGED.labels(self._service).inc(removed)
        return removed

    def _log_anchors(self) -> None:
        moved, self._moved = self._moved, {}
        for head in moved.values():
            log.info("audit_anchor", anchor=head)
