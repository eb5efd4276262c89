"""What migrations call besides Alembic's own operations: row-level security and the kit's tables."""

from collections.abc import Mapping
from typing import Literal

from alembic import op
from sqlalchemy import text

from crm_kit.audit.tables import (
    AUDIT_APP_TABLES,
    AUDIT_SYSTEM_TABLES,
    AUDIT_TABLES,
    ERASE_FUNCTION,
    FORGET_FUNCTION,
)
from crm_kit.db.text_grams import TEXT_GRAMS, TEXT_GRAMS_SOUGHT
from crm_kit.http.idempotency import CLAIM_FUNCTION
from crm_kit.merging.tables import CURRENT_FUNCTION, MERGING_TABLES
from crm_kit.privacy.tables import PRIVACY_TABLES, PRIVACY_TASK
from crm_kit.rights.tables import RIGHTS_TABLES
from crm_kit.tables import SYSTEM_TABLES
from crm_kit.tenants.table import BEGIN_FUNCTION, FOLLOW_FUNCTION, TENANT_STATE


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


def add_readers(*tables: str) -> None:
    """Makes `read_<table>(tenant, ids)` for tables of entities: it sets the tenant for its own transaction and reads, so
    that row-level security holds without a BEGIN and a COMMIT around it. Columns that come later are read too.
    """
    for table in tables:
        op.execute(
            f"create function read_{table}(tenant text, ids text[]) returns setof {table}"  # noqa: S608  # names of our own
            " language plpgsql volatile security invoker as $$ begin"
            " perform set_config('app.tenant_id', tenant, true);"
            f" return query select t.* from {table} t where t.tenant_id = tenant and t.id = any(ids);"
            " end $$"
        )


def add_mark(function: str, table: str, *, of: str | None, standing: str = "true") -> None:
    """Makes the function of a `Standing` (`crm_kit.db.standing`): the rows of a table of entities whose column `of` has the
    value that is asked for, and of which `standing` holds. Without a column: all of the tenant's.

    It sets the tenant and shares the lock, if one is given; a statement within it then sees what the lock's last holder has
    committed.
    """
    which = f"t.{of} = wanted and {standing}" if of is not None else standing
    op.execute(
        f"create function {function}(tenant text, lock bigint, wanted text) returns text"  # noqa: S608  # names of our own
        " language plpgsql volatile security invoker as $$ begin"
        " perform set_config('app.tenant_id', tenant, true);"
        " perform pg_advisory_xact_lock_shared(lock # hashtextextended(current_schema(), 0));"
        " return (select md5(coalesce(string_agg(concat_ws(' ', t.id, t.version, t.updated_at), ',' order by t.id), ''))"
        f" from {table} t where t.tenant_id = tenant and {which});"
        " end $$"
    )


def open_to_system(tables: Mapping[str, str]) -> None:
    """Lets the system role do what is named with these tables, for every tenant."""
    role = _role("system")
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


def create_rights_tables() -> None:
    """What rights are told by. As `create_audit_log`: in the shape of their first release."""
    for table in RIGHTS_TABLES:
        table.create(op.get_bind(), checkfirst=True)
    protect(*(table.name for table in RIGHTS_TABLES))


def create_merging_tables() -> None:
    """What merged records are followed by. As `create_audit_log`: in the shape of their first release."""
    for table in MERGING_TABLES:
        table.create(op.get_bind(), checkfirst=True)
    protect(*(table.name for table in MERGING_TABLES))
    op.execute(CURRENT_FUNCTION)


def create_privacy_tables() -> None:
    """What privacy requests are followed by. As `create_audit_log`: in the shape of their first release."""
    for table in PRIVACY_TABLES:
        table.create(op.get_bind(), checkfirst=True)
    protect(*(table.name for table in PRIVACY_TABLES))


def index_privacy_tasks() -> None:
    """By what erasures that wait are found, and whoever was erased. A database of this release has them from the beginning."""
    for index in PRIVACY_TASK.indexes:
        index.create(op.get_bind(), checkfirst=True)


def create_text_grams() -> None:
    """The functions that columns of grams are computed and looked up by. As `create_audit_log`."""
    op.execute(TEXT_GRAMS)
    op.execute(TEXT_GRAMS_SOUGHT)


def create_audit_log() -> None:
    """The audit log's tables, with the little that application and system may do with them.

    As they were in their first release: a later one alters them by a migration of its own, and writes that shape out here.
    """
    for table in AUDIT_TABLES:
        table.create(op.get_bind(), checkfirst=True)
    protect(*AUDIT_APP_TABLES)
    app = _role("app")
    for name, privileges in AUDIT_APP_TABLES.items():
        op.execute(f"revoke all on {name} from {app}")
        op.execute(f"grant {privileges} on {name} to {app}")
    open_to_system(AUDIT_SYSTEM_TABLES)
    for function, signature, role in (
        (ERASE_FUNCTION, "audit_erase(text[])", app),
        (FORGET_FUNCTION, "audit_forget(text, timestamptz, integer, text, text)", _role("system")),
    ):
        op.execute(function)
        op.execute(f"revoke all on function {signature} from public")
        op.execute(f"grant execute on function {signature} to {role}")
    op.execute(
        "alter table audit_unsealed set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)"
    )


def create_tenant_state() -> None:
    """What tells of tenants that are not as usual, which the owner alone writes. As `create_audit_log`."""
    TENANT_STATE.create(op.get_bind(), checkfirst=True)
    protect(TENANT_STATE.name)
    app = _role("app")
    op.execute(f"revoke all on {TENANT_STATE.name} from {app}")
    op.execute(f"grant select on {TENANT_STATE.name} to {app}")
    open_to_system({TENANT_STATE.name: "select"})
    op.execute(BEGIN_FUNCTION)
    op.execute(FOLLOW_FUNCTION)


def system_role() -> str:
    """For a grant of its own, where its policy is there already."""
    return _role("system")


def _role(kind: Literal["app", "system"]) -> str:
    database = op.get_bind().scalar(text("select current_database()"))
    return f"{database}_{kind}"
