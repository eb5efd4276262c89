"""Contacts that share a match key, for as long as a scan for duplicates lasts"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect
from sqlalchemy.dialects import postgresql

revision = "0027_duplicate_blocks"
down_revision = "0026_retention"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "duplicate_block",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
    )
    protect("duplicate_block")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
