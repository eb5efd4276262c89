"""Pools"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, protect
from sqlalchemy.dialects import postgresql

revision = "0015_pools"
down_revision = "0014_lifecycle"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "pool",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("team_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("claim_limit_per_day", sa.Integer(), nullable=True),
        sa.Column("hold_limit", sa.Integer(), nullable=True),
        sa.Column("return_after_days", sa.Integer(), nullable=True),
        sa.Column("reclaim_after_days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("pool_created", "pool", ["tenant_id", "created_at", "id"], unique=False)
    op.create_table(
        "pool_claim",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("contact_id", sa.Text(collation="C"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pool_id", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "contact_id", "at"),
    )
    op.create_index("pool_claim_user", "pool_claim", ["tenant_id", "pool_id", "user_id", "at"], unique=False)
    protect("pool", "pool_claim")
    add_readers("pool")
    op.add_column("contact", sa.Column("pool_id", sa.Text(collation="C"), nullable=True))
    op.add_column("contact", sa.Column("returns_at", sa.DateTime(timezone=True), nullable=True))
    # The default stays: a release that does not know the column may write beside this one.
    history = sa.Column(
        "pool_history",
        postgresql.JSONB(astext_type=sa.Text()),
        nullable=False,
        server_default=sa.text("'[]'::jsonb"),
    )
    op.add_column("contact", history)
    op.create_index(
        "contact_pool",
        "contact",
        ["tenant_id", "pool_id", "owner_id", "id"],
        unique=False,
        postgresql_where=sa.text("pool_id is not null"),
    )
    op.create_index(
        "contact_returns",
        "contact",
        ["tenant_id", "returns_at"],
        unique=False,
        postgresql_where=sa.text("returns_at is not null"),
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
