"""Fresh customer views are read, or their versions alone"""

from alembic import op

revision = "0024_read_fresh_views"
down_revision = "0023_tenant_state"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # read_customer_views stays: it tells what is stale, too.
    for function, columns in (
        ("read_fresh_customer_views", {"id": "text", "version": "bigint", "doc": "bytea"}),
        ("read_fresh_customer_versions", {"id": "text", "version": "bigint"}),
    ):
        told = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        read = ", ".join(f"v.{name}" for name in columns)
        op.execute(
            f"create function {function}(tenant text, customers text[]) returns table ({told})"  # noqa: S608  # names of our own
            " language plpgsql volatile security invoker as $$ begin"
            " perform set_config('app.tenant_id', tenant, true);"
            f" return query select {read} from customer_view v where v.tenant_id = tenant and v.id = any (customers)"
            " and not exists (select from stale_customer s where s.tenant_id = tenant and s.customer_id = v.id);"
            " end $$"
        )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
