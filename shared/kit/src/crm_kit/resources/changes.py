"""A change of one row that was read before, by one statement, which is its own transaction: the row, its event, its audit entry.

The row changes only if it is still, in every column, what was read; else somebody else was first, and nothing happens.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import asyncpg
import orjson
import structlog

from crm_kit.audit.entries import values as audited
from crm_kit.db.assuming import NOBODY_KNOWS, assumed_values, begun_where_stands
from crm_kit.db.models import EntityRow
from crm_kit.db.rows import json_bytes, written_columns
from crm_kit.db.sql import Sql
from crm_kit.db.statement_pool import StatementPool
from crm_kit.db.unbegun import NeedsTransaction, UnbegunSession
from crm_kit.outbox.pending import Pending
from crm_kit.outbox.table import shard_of

log = structlog.get_logger(__name__)

_CHANGE: Final = """
    with begun as materialized (select {begin} as stands),
    changed as (
        update {table} as t set ({columns}) = (
               select {values} from jsonb_populate_record(t, cast(cast(:row as text) as jsonb)) as new)
         where (select stands from begun) and t.tenant_id = cast(:tenant as text) and t.id = cast(:id as text)
           and hash_record_extended(t, 0) = cast(:mark as bigint)
        returning t.id),
    audited as (
        insert into audit_unsealed (tenant_id, id, at, actor, via, request_id, trace_id, address, user_agent,
                                    resource, entity_id, version, action, changes)
        select cast(:tenant as text), cast(:entry_id as text), cast(:at as timestamptz), cast(:actor as text),
               cast(:via as text), cast(:request_id as text), cast(:trace_id as text), cast(:address as text),
               cast(:user_agent as text), cast(:resource as text), id, cast(:version as bigint),
               cast(:action as text), cast(:changes as text) from changed),
    published as (
        insert into outbox (tenant_id, shard, topic, key, headers, payload)
        select cast(:tenant as text), cast(:shard as smallint), cast(:topic as text), cast(:key as text),
               cast(cast(:headers as text) as jsonb), cast(:payload as bytea) from changed)
    select id from changed
"""
"""The event is numbered behind the change, and so under the row's lock. One statement for whatever columns change, so that it is
planned once: what `row` does not name stays.
"""

_MARK: Final = "mark"


def read_to_change(table: type[EntityRow]) -> str:
    """From `$1` a tenant and `$2` ids to their rows, each with the mark by which it is known to be unchanged."""
    names = ", ".join(f'"{column.name}"' for column in written_columns(table))
    return f"select {names}, hash_record_extended(found, 0) as {_MARK} from read_{table.__tablename__}($1, $2) as found"  # noqa: S608  # names of our own


class Changes:
    """Of one process."""

    def __init__(self) -> None:
        self._pool: StatementPool | None = None

    def use(self, pool: StatementPool) -> None:
        """While the application serves."""
        self._pool = pool

    async def write(
        self, session: UnbegunSession, table: type[EntityRow], row: EntityRow, read: Mapping[str, Any]
    ) -> None:
        """Writes what the session put off of the row, which was `read` as `read_to_change` does.

        Raises NeedsTransaction, and nothing was written: the row is not what was read, what was assumed does not stand any more,
        PostgreSQL refused it, or it is more than that row's change. Raises ConnectionError or TimeoutError where nobody knows
        whether it was written.
        """
        assert self._pool is not None, "opened with the application"
        functions = tuple(standing.function for standing in session.assumed)
        values: dict[str, Any] = {"tenant": session.tenant_id, **assumed_values(session.tenant_id, session.marks)}
        changed = _changed(table, row, read)
        if changed or session.put_off is not None:
            statement = _statement(table, functions)
            values |= {**_told(session, row), "id": row.id, "mark": read[_MARK], "row": json_bytes(changed).decode()}
        else:  # it is as it should be already
            statement = _nothing(functions)
        try:
            written = await self._pool.fetch(statement.query, *statement.arguments(values))
        except NOBODY_KNOWS as error:
            raise ConnectionError(str(error)) from error
        except asyncpg.PostgresError as error:
            log.info("change_in_transaction", table=table.__tablename__, kind=type(error).__name__)
            raise NeedsTransaction from error
        if not written:
            raise NeedsTransaction


def _told(session: UnbegunSession, row: EntityRow) -> dict[str, Any]:
    """Event and audit entry of the one change that was put off. Raises NeedsTransaction."""
    writing = session.put_off
    if not isinstance(writing, Pending) or writing.inserts or writing.shares or writing.changed != [row]:
        raise NeedsTransaction
    if len(writing.records) != 1 or len(writing.entries) != 1:
        raise NeedsTransaction
    record, entry = writing.records[0], writing.entries[0]
    told = audited(session.tenant_id, [entry])
    return {
        **{name: told[name] for name in ("at", "actor", "via", "request_id", "trace_id", "address", "user_agent")},
        "entry_id": told["entry_ids"][0],
        "resource": entry.resource,
        "version": entry.version,
        "action": entry.action,
        "changes": entry.changes,
        "shard": shard_of(record.key),
        "topic": record.topic,
        "key": record.key,
        "headers": orjson.dumps(record.headers).decode(),
        "payload": record.value,
    }


def _changed(table: type[EntityRow], row: EntityRow, read: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that differ. As of what SQLAlchemy writes: Python would call `1` and `True` equal."""
    held = row.__dict__
    names = [column.key for column in written_columns(table)]
    return {name: held[name] for name in names if repr(held[name]) != repr(read[name])}


@cache
def _nothing(functions: tuple[str, ...]) -> Sql:
    return Sql(f"select from (select {begun_where_stands(functions)} as stands) as begun where stands")


@cache
def _statement(table: type[EntityRow], functions: tuple[str, ...]) -> Sql:
    columns = [f'"{column.name}"' for column in written_columns(table) if column.name not in ("tenant_id", "id")]
    return Sql(
        _CHANGE.format(
            begin=begun_where_stands(functions),
            table=table.__tablename__,
            columns=", ".join(columns),
            values=", ".join(f"new.{column}" for column in columns),
        )
    )
