"""Creations that read nothing: those of one tenant that come at the same time are written by one statement, which is its own
transaction: entities, events, audit entries and what is kept for their Idempotency-Keys.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import asyncpg
import orjson
import structlog
from starlette.responses import Response

from crm_kit.audit.entries import values as audited
from crm_kit.db.assuming import NOBODY_KNOWS, Assumed, assumed_values, begun_where_stands
from crm_kit.db.gathering import Gathering
from crm_kit.db.models import EntityRow
from crm_kit.db.rows import written_columns
from crm_kit.db.sql import Sql
from crm_kit.db.statement_pool import StatementPool
from crm_kit.db.unbegun import NeedsTransaction, UnbegunSession
from crm_kit.http.idempotency import Claim, kept_headers
from crm_kit.outbox.pending import Pending
from crm_kit.outbox.table import shard_of

log = structlog.get_logger(__name__)

_COLUMNS: Final = {
    "entity": "text",
    "claim_key": "text",
    "claim_lock": "bigint",
    "fingerprint": "bytea",
    "status": "smallint",
    "kept_headers": "text",
    "body": "bytea",
    "shard": "smallint",
    "topic": "text",
    "key": "text",
    "headers": "text",
    "payload": "bytea",
    "entry_id": "text",
    "at": "timestamptz",
    "actor": "text",
    "via": "text",
    "request_id": "text",
    "trace_id": "text",
    "address": "text",
    "user_agent": "text",
    "resource": "text",
    "entity_id": "text",
    "version": "bigint",
    "action": "text",
    "changes": "text",
}
"""Of one creation: its row, what is kept for its Idempotency-Key, its event, its audit entry."""

_WRITE: Final = """
    with begun as materialized (select {begin} as stands),
    given as materialized (
        select given.* from begun, unnest({arrays}) with ordinality as given({names}, place) where begun.stands),
    claimed as (
        insert into idempotency (tenant_id, key, fingerprint, status, headers, body, created_at)
        select cast(:tenant as text), claim_key, fingerprint, status, cast(kept_headers as jsonb), body, now() from given
         where claim_key is not null and pg_try_advisory_xact_lock(claim_lock)
            on conflict (tenant_id, key) do nothing
        returning key),
    free as materialized (
        select * from given where claim_key is null or claim_key in (select key from claimed)),
    inserted as (
        insert into {table} ({columns})
        select {values} from free, jsonb_populate_record(null::{table}, cast(free.entity as jsonb)) as new),
    audited as (
        insert into audit_unsealed (tenant_id, id, at, actor, via, request_id, trace_id, address, user_agent,
                                    resource, entity_id, version, action, changes)
        select cast(:tenant as text), entry_id, at, actor, via, request_id, trace_id, address, user_agent,
               resource, entity_id, version, action, changes from free),
    published as (
        insert into outbox (tenant_id, shard, topic, key, headers, payload)
        select cast(:tenant as text), shard, topic, key, cast(headers as jsonb), payload from free order by place)
    select place from free
"""
"""Only what is `free` is written: nobody has used its key, or it has none."""

_LARGE_BYTES: Final = 100_000
"""A row that is written by itself: a hundred of them together would take the memory of a process."""


class _Place(NamedTuple):
    """What goes into one statement: rows of one table, and by which marks what must stand, in the order of its locks."""

    tenant_id: str
    table: type[EntityRow]
    assumed: Assumed


class Creations:
    """Of one process."""

    def __init__(self) -> None:
        # While one statement waits for the disk, the next is worked on.
        self._gathering: Gathering[_Place, Mapping[str, Any], bool] = Gathering(self._write_all, at_once=2)
        self._claimed: set[tuple[str, str]] = set()
        self._pool: StatementPool | None = None

    def use(self, pool: StatementPool) -> None:
        """While the application serves."""
        self._pool = pool

    async def write(self, session: UnbegunSession, claim: Claim | None, answer: Response) -> None:
        """Writes what the session put off; `answer` is kept under the claim.

        Raises NeedsTransaction, and nothing was written: another has used the key or holds it, what was assumed does not
        stand any more, PostgreSQL refused it, or it is more than one new row, or a large one. Raises ConnectionError or TimeoutError where
        nobody knows whether it was written.
        """
        place, values = _one_row(session)
        claimed = None if claim is None else (session.tenant_id, claim.key)
        if claimed in self._claimed:  # by a request that is under way
            raise NeedsTransaction
        values |= _kept(session.tenant_id, claim, answer)
        if claimed is not None:
            self._claimed.add(claimed)
        try:
            written = await self._gathering.ask(place, values)
        finally:
            if claimed is not None:
                self._claimed.discard(claimed)
        if not written:
            raise NeedsTransaction

    async def _write_all(self, place: _Place, rows: Sequence[Mapping[str, Any]]) -> Sequence[bool]:
        assert self._pool is not None, "opened with the application"
        values: dict[str, Any] = {name: [row[name] for row in rows] for name in _COLUMNS}
        values["tenant"] = place.tenant_id
        values |= assumed_values(place.tenant_id, place.assumed)
        statement = _statement(place.table, tuple(standing.function for standing, _ in place.assumed))
        try:
            written = await self._pool.fetch(statement.query, *statement.arguments(values))
        except NOBODY_KNOWS as error:
            raise ConnectionError(str(error)) from error
        except asyncpg.PostgresError as error:
            log.info("creations_apart", table=place.table.__tablename__, kind=type(error).__name__)
            return [False] * len(rows)  # one of them is at fault, and each will be told its own
        numbers = {row["place"] for row in written}
        return [number in numbers for number in range(1, len(rows) + 1)]


def _one_row(session: UnbegunSession) -> tuple[_Place, dict[str, Any]]:
    """Where what the session put off belongs, and its values by _COLUMNS. Raises NeedsTransaction."""
    writing = session.put_off
    if not isinstance(writing, Pending) or writing.changed or writing.shares or writing.new_shares:
        raise NeedsTransaction
    if len(writing.inserted) != 1 or len(writing.records) != 1 or len(writing.entries) != 1:
        raise NeedsTransaction
    ((table, (row,)),) = writing.inserts.items()
    record, entry = writing.records[0], writing.entries[0]
    if len(row) > _LARGE_BYTES:
        raise NeedsTransaction
    told = audited(session.tenant_id, [entry])
    values = {
        "entity": row.decode(),
        "shard": shard_of(record.key),
        "topic": record.topic,
        "key": record.key,
        "headers": orjson.dumps(record.headers).decode(),
        "payload": record.value,
        "entry_id": told["entry_ids"][0],
        **{name: told[name] for name in ("at", "actor", "via", "request_id", "trace_id", "address", "user_agent")},
        "resource": entry.resource,
        "entity_id": entry.entity_id,
        "version": entry.version,
        "action": entry.action,
        "changes": entry.changes,
    }
    return _Place(session.tenant_id, table, session.marks), values


def _kept(tenant_id: str, claim: Claim | None, answer: Response) -> dict[str, Any]:
    if claim is None:
        return dict.fromkeys(("claim_key", "claim_lock", "fingerprint", "status", "kept_headers", "body"))
    return {
        "claim_key": claim.key,
        "claim_lock": claim.lock(tenant_id),
        "fingerprint": claim.fingerprint,
        "status": answer.status_code,
        "kept_headers": kept_headers(answer),
        "body": bytes(answer.body),
    }


@cache
def _statement(table: type[EntityRow], functions: tuple[str, ...]) -> Sql:
    name = str(table.__tablename__)
    columns = [f'"{column.name}"' for column in written_columns(table)]
    return Sql(
        _WRITE.format(
            begin=begun_where_stands(functions),
            arrays=", ".join(f"cast(:{name} as {kind}[])" for name, kind in _COLUMNS.items()),
            names=", ".join(_COLUMNS),
            table=name,
            columns=", ".join(columns),
            values=", ".join(f"new.{column}" for column in columns),
        )
    )
