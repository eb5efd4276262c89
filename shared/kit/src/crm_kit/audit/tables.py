"""The audit log's tables, and what alone may take something out of them."""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, Index, LargeBinary, MetaData, Table, Text

_metadata: Final = MetaData()


def _told(*, key: bool) -> list[Column[Any]]:
    """What an entry tells, in the table it is written to and in the one it stays in; `key`: its id is part of the key."""
    return [
        Column("id", Text(collation="C"), primary_key=key, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("actor", Text(collation="C"), nullable=False),
        Column("via", Text(collation="C"), nullable=False),
        Column("request_id", Text(collation="C"), nullable=False),
        Column("trace_id", Text(collation="C"), nullable=False),
        Column("address", Text(collation="C")),
        Column("user_agent", Text(collation="C")),
        Column("resource", Text(collation="C"), nullable=False),
        Column("entity_id", Text(collation="C")),
        Column("version", BigInteger),
        Column("action", Text(collation="C"), nullable=False),
        Column("changes", Text(collation="C")),
    ]


AUDIT_UNSEALED = Table(
    "audit_unsealed",
    _metadata,
    Column("tenant_id", Text(collation="C"), primary_key=True),
    *_told(key=True),
)

AUDIT_ENTRY = Table(
    "audit_entry",
    _metadata,
    Column("tenant_id", Text(collation="C"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    *_told(key=False),
    Column("salt", LargeBinary),
    Column("changes_digest", LargeBinary),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("audit_entry_newest", "tenant_id", "at", "id"),
    Index("audit_entry_entity", "tenant_id", "entity_id", "at", "id"),
    Index("audit_entry_actor", "tenant_id", "actor", "at", "id"),
)

AUDIT_HEAD = Table(
    "audit_head",
    _metadata,
    Column("tenant_id", Text(collation="C"), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("base_sequence", BigInteger, nullable=False, server_default="0"),
    Column("base_hash", LargeBinary, nullable=False),
    Column("sealed_at", DateTime(timezone=True), nullable=False),
)
"""`base_…`: the last entry that was removed after its time; before any was, 0 and 32 zero bytes."""

AUDIT_TABLES = (AUDIT_UNSEALED, AUDIT_ENTRY, AUDIT_HEAD)

AUDIT_SYSTEM_TABLES: Final = {
    "audit_unsealed": "select, delete",
    "audit_entry": "select, insert",
    "audit_head": "select, insert, update",
}
"""What the system role may do: the sealer moves entries into the chain."""

AUDIT_APP_TABLES: Final = {
    "audit_unsealed": "select, insert",
    "audit_entry": "select",
    "audit_head": "select",
}
"""All that the application may do."""

ERASE_FUNCTION: Final = """
    create function audit_erase(entities text[]) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
    declare erased bigint; sealed bigint;
    begin
        update audit_unsealed set changes = null where entity_id = any(entities) and changes is not null;
        get diagnostics erased = row_count;
        update audit_entry set changes = null, salt = null where entity_id = any(entities) and changes is not null;
        get diagnostics sealed = row_count;
        return erased + sealed;
    end $$
"""
"""Runs as the owner, under the row-level security of the caller's tenant. What waits to be sealed comes first: who seals
it now holds its row, and once that is over it is found where it went.
"""

FORGET_FUNCTION: Final = """
    create function audit_forget(wanted text, before timestamptz, most integer, entry_id text, actor text)
    returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
    declare last record; gone bigint;
    begin
        if before > now() - interval '180 days' then
            raise exception 'audit entries are kept for 180 days at least';
        end if;
        perform set_config('app.tenant_id', wanted, true);
        perform from audit_head where tenant_id = wanted for update;
        select sequence, hash into last from (
            select sequence, hash, min(sequence) filter (where at >= before) over () as young from (
                select sequence, hash, at from audit_entry where tenant_id = wanted order by sequence limit most
            ) oldest
        ) old where young is null or sequence < young order by sequence desc limit 1;
        if not found then
            return 0;
        end if;
        delete from audit_entry where tenant_id = wanted and sequence <= last.sequence;
        get diagnostics gone = row_count;
        update audit_head set base_sequence = last.sequence, base_hash = last.hash where tenant_id = wanted;
        insert into audit_unsealed
               (tenant_id, id, at, actor, via, request_id, trace_id, resource, action, changes)
        values (wanted, entry_id, clock_timestamp(), actor, 'timer', 'audit-retention', '', 'audit_entry', 'purged',
                json_build_object('sequence', json_build_object('after', last.sequence),
                                  'hash', json_build_object('after', encode(last.hash, 'hex')))::text);
        return gone;
    end $$
"""
"""Removes the oldest of a tenant's entries, `most` at most and only those that lie before all younger ones; tells of it.

None of the last 180 days: network logs are kept for six months at least (Cybersecurity Law of the PRC, article 21 (3)).
"""
