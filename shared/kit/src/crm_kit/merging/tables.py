"""What a service must know of merges. Every service has these tables."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, Table, Text, text

_C = Text(collation="C")

MERGED_RECORD: Final = Table(
    "merged_record",
    MetaData(),
    Column("tenant_id", _C, primary_key=True),
    Column("record_id", _C, primary_key=True),
    Column("merge_id", _C, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("into_id", _C, nullable=False),
    Column("active", Boolean, nullable=False),
    Index("merged_record_into", "tenant_id", "into_id", postgresql_where=text("active")),
)
"""Which records were merged into which, by the merges' events. `version`: of the merge, which is not `active` once it is undone.

A record can be merged, given back and merged again: of its active merges the one that began last counts.
"""

MOVED_REFERENCE: Final = Table(
    "moved_reference",
    MetaData(),
    Column("tenant_id", _C, primary_key=True),
    Column("entity_id", _C, primary_key=True),
    Column("home_id", _C, nullable=False),
    Column("placed_id", _C, nullable=False),
    Index("moved_reference_home", "tenant_id", "home_id", "entity_id"),
)
"""The manifest: which of this service's entities refer to `placed_id` since `home_id`, to which they referred, was merged."""

MERGING_TABLES: Final = (MERGED_RECORD, MOVED_REFERENCE)

CURRENT_FUNCTION: Final = """
create function current_records(tenant text, lock bigint, ids text[]) returns table (id text, current_id text)
language plpgsql volatile security invoker as $$
begin
    -- A statement within sees what the lock's last holder has committed.
    if lock is not null then
        perform pg_advisory_xact_lock_shared(lock # hashtextextended(current_schema(), 0));
    end if;
    return query
        with recursive walked(id, at, steps) as (
            select asked collate "C", asked collate "C", 0 from unnest(ids) as asked
            union all
            select walked.id, next.into_id, walked.steps + 1
            from walked, lateral (
                select m.into_id from merged_record m
                where m.tenant_id = tenant and m.record_id = walked.at and m.active
                order by m.merge_id desc limit 1
            ) as next
            where walked.steps < 100
        )
        select distinct on (walked.id) walked.id, walked.at from walked order by walked.id, walked.steps desc;
end $$
"""
"""Where each of the records has gone: itself where it was not merged. With a lock nobody tells of a merge until the transaction
ends (`crm_kit.merging.current`)."""
