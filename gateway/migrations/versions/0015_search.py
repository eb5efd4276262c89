"""Customers are found by parts of what they are called and reached by"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import open_to_system, protect
from sqlalchemy.dialects import postgresql

revision = "0015_search"
down_revision = "0014_privacy_tasks"
branch_labels = None
depends_on = None

_C = sa.Text(collation="C")
_GRAMS = postgresql.ARRAY(sa.Integer())


def upgrade() -> None:
    op.execute("create extension if not exists btree_gin")
    op.create_table(
        "customer_search",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("kind", _C, nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", _C, nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("personal", _C, nullable=True),
        sa.Column("open", _C, nullable=True),
        sa.Column("company", _C, nullable=True),
        sa.Column("commercial", _C, nullable=True),
        sa.Column("grams", _GRAMS, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("customer_search_created", "customer_search", ["tenant_id", "created_at", "id"], unique=False)
    op.create_table(
        "search_number",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("kind", _C, nullable=False),
        sa.Column("contact_id", _C, nullable=True),
        sa.Column("account_id", _C, nullable=True),
        sa.Column("numbers", postgresql.ARRAY(_C), nullable=False),
        sa.Column("grams", _GRAMS, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("search_number_contact", "search_number", ["tenant_id", "contact_id"], unique=False)
    for table in ("customer_search", "search_number"):
        op.create_index(
            f"{table}_grams",
            table,
            ["tenant_id", "grams"],
            unique=False,
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 256},
        )
    op.create_table(
        "search_filling",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("after_id", _C, nullable=False),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    # Whoever has customers already: a worker fills in theirs. The owner, whom row-level security hides the rows from too, goes
    # from tenant to tenant along the primary key.
    op.execute("create policy searching on customer_view for select to current_user using (true)")
    op.execute(
        "insert into search_filling (tenant_id, after_id) with recursive tenants(id) as ("
        " select min(tenant_id) from customer_view union all"
        " select (select min(v.tenant_id) from customer_view v where v.tenant_id > tenants.id) from tenants"
        " where tenants.id is not null) select id, '' from tenants where id is not null"
    )
    op.execute("drop policy searching on customer_view")
    protect("customer_search", "search_number", "search_filling")
    open_to_system({"search_filling": "select (tenant_id, again_at)"})


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
