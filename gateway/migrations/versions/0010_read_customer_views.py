"""Customer views are read several at once"""

from alembic import op

revision = "0010_read_customer_views"
down_revision = "0009_support_sessions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # read_customer_view stays for a release that runs beside this one.
    op.execute(
        "create function read_customer_views(tenant text, customers text[])"
        " returns table (id text, version bigint, doc bytea, stale boolean)"
        " language plpgsql volatile security invoker as $$ begin"
        " perform set_config('app.tenant_id', tenant, true);"
        " return query select c.id, v.version, v.doc,"
        " exists (select from stale_customer s where s.tenant_id = tenant and s.customer_id = c.id)"
        " from unnest(customers) as c(id)"
        " left join customer_view v on v.tenant_id = tenant and v.id = c.id;"
        " end $$"
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
