"""Lifecycle"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_mark, protect
from sqlalchemy.dialects import postgresql

revision = "0014_lifecycle"
down_revision = "0012_match_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "lifecycle",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("initial", sa.Text(), nullable=False),
        sa.Column("stages", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    protect("lifecycle")
    add_mark("lifecycle_mark", "lifecycle", of=None)
    for table in ("contact", "account"):
        op.add_column(table, sa.Column("lifecycle_reason", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("lifecycle_changed_at", sa.DateTime(timezone=True), nullable=True))
        # The default stays: a release that does not know the column may write beside this one.
        history = sa.Column(
            "lifecycle_history",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'[]'::jsonb"),
        )
        op.add_column(table, history)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
