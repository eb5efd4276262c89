"""Tenants that are not as usual, and the three functions by which every transaction heeds them.

A tenant without a row is as usual. The row of one that was deleted stays: it is the certificate, and by it nothing that is
still under way, in the event log above all, brings anything of the tenant back.
"""

from typing import Final, Literal

from sqlalchemy import Column, DateTime, MetaData, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB

TenantState = Literal["read_only", "deleting", "deleted"]

TENANT_STATE = Table(
    "tenant_state",
    MetaData(),
    Column("tenant_id", Text(collation="C"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("by_whom", Text, nullable=False),
    Column("imported", Text),
    Column("counts", JSONB),
    Column("finished_at", DateTime(timezone=True)),
)
"""`imported`: the digest of the export that the tenant came from, while it is held. `counts`: rows deleted, by table."""

BEGIN_FUNCTION: Final = """
    create function begin_for_tenant(wanted text, always boolean) returns boolean language plpgsql as $$
    declare found text;
    begin
        perform set_config('app.tenant_id', wanted, true);
        select state into found from tenant_state where tenant_id = wanted;
        if found is null or (always and found = 'read_only') then
            return true;
        end if;
        raise exception 'the tenant is %', found using errcode = 'TR001';
    end $$
"""
"""Begins a transaction that writes. `always`: also where the tenant is read-only."""

FOLLOW_FUNCTION: Final = """
    create function follow_tenant(wanted text) returns boolean language plpgsql as $$
    begin
        perform set_config('app.tenant_id', wanted, true);
        return not exists (select from tenant_state where tenant_id = wanted and state <> 'read_only');
    end $$
"""
"""Turns a consumer's transaction to a tenant; false where nothing of that may come to be any more."""
