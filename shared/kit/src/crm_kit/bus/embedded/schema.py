"""The tables of the embedded log, in a database of their own."""

from crm_kit.bus.embedded.connection import AnyConnection

SCHEMA_LOCK = 0x6576_6C6F_6701
"""Advisory lock under which the tables are made: services start at the same time."""

_DDL = """
create table if not exists topic (
    name text collate "C" primary key,
    partitions integer not null check (partitions > 0),
    compacted boolean not null
);
create table if not exists topic_partition (
    topic text collate "C" not null references topic (name),
    partition integer not null,
    next_offset bigint not null default 0,
    primary key (topic, partition)
) with (fillfactor = 40);
create table if not exists record (
    topic text collate "C" not null,
    partition integer not null,
    "offset" bigint not null,
    key text collate "C" not null,
    value bytea,
    headers jsonb not null,
    at timestamptz not null,
    primary key (topic, partition, "offset")
);
create index if not exists record_by_key on record (topic, partition, key, "offset");
create index if not exists record_tombstone on record (topic, partition, "offset") where value is null;
create table if not exists compaction (
    topic text collate "C" not null,
    partition integer not null,
    upto bigint not null,
    primary key (topic, partition)
);
create table if not exists member (
    id bigint generated always as identity primary key,
    grp text collate "C" not null,
    topics text[] not null,
    pid integer not null,
    backend_start timestamptz not null,
    heartbeat_at timestamptz not null default clock_timestamp()
);
create index if not exists member_by_group on member (grp);
create table if not exists position (
    grp text collate "C" not null,
    topic text collate "C" not null,
    partition integer not null,
    next_offset bigint not null,
    at timestamptz not null default now(),
    primary key (grp, topic, partition)
) with (fillfactor = 40);
"""


async def ensure_schema(connection: AnyConnection) -> None:
    """Create what is missing; safe when several processes do it at once."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", SCHEMA_LOCK)
        if await connection.fetchval("select to_regclass('position') is not null"):
            return
        await connection.execute(_DDL)
