"""Transfers"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect
from sqlalchemy.dialects import postgresql

revision = "0008_transfers"
down_revision = "0007_rate_buckets"
branch_labels = None
depends_on = None

_C = sa.Text(collation="C")
_JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "transfer",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resources", postgresql.ARRAY(_C), nullable=False),
        sa.Column("from_user_id", _C, nullable=True),
        sa.Column("where", _JSON, nullable=True),
        sa.Column("ids", postgresql.ARRAY(_C), nullable=False),
        sa.Column("to", _JSON, nullable=False),
        sa.Column("follow", postgresql.ARRAY(_C), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("moved", _JSON, nullable=False),
        sa.Column("failed", _JSON, nullable=False),
        sa.Column("faults", _JSON, nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("requested_by", _C, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("credential", _C, nullable=False),
        sa.Column("scopes", postgresql.ARRAY(_C), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("tasks", _JSON, nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("transfer_created", "transfer", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "transfer_requested_by", "transfer", ["tenant_id", "requested_by", "created_at", "id"], unique=False
    )
    protect("transfer")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
