"""What migrations call besides Alembic's own operations: row-level security and the kit's tables."""

from collections.abc import Mapping

from alembic import op
from sqlalchemy import text

from crm_kit.http.idempotency import CLAIM_FUNCTION
from crm_kit.rights.tables import RIGHTS_TABLES
from crm_kit.tables import SYSTEM_TABLES


def protect(*tables: str) -> None:
    """Puts row-level security on tables that hold `tenant_id`: to be called in the migration that makes them."""
    for table in tables:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        # nullif: after a transaction that set it, the setting is empty, which must match no row either.
        # The sub-select is evaluated once a statement, not once a row.
        op.execute(
            f"create policy tenant on {table} using"
            " (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')))"
        )


def open_to_system(tables: Mapping[str, str]) -> None:
    """Lets the system role do what is named with these tables, for every tenant."""
    role = _system_role()
    for table, privileges in tables.items():
        op.execute(f"grant {privileges} on {table} to {role}")
        op.execute(f"create policy system on {table} to {role} using (true)")


def protect_kit_tables() -> None:
    """Row-level security, the system role's rights and the wake-up call, on the kit's own tables."""
    protect("outbox", "parked_event", "idempotency", "timer")
    open_to_system(SYSTEM_TABLES)
    op.execute(
        "create function outbox_notify() returns trigger language plpgsql as"
        " $$ begin perform pg_notify('outbox', ''); return null; end $$"
    )
    op.execute(
        "create trigger outbox_notify after insert on outbox for each statement execute function outbox_notify()"
    )
    op.execute(CLAIM_FUNCTION)
    op.execute("alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)")


def protect_rights_tables() -> None:
    protect(*(table.name for table in RIGHTS_TABLES))


def _system_role() -> str:
    database = op.get_bind().scalar(text("select current_database()"))
    return f"{database}_system"
