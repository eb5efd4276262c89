"""Allowed origins"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import open_to_system, protect

revision = "0002_allowed_origins"
down_revision = "0001_initial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "allowed_origin",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("origin", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("allowed_origin_created", "allowed_origin", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("allowed_origin_once", "allowed_origin", ["tenant_id", "origin"], unique=True)
    protect("allowed_origin")
    open_to_system({"allowed_origin": "select"})


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
