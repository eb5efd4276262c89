"""Copies of custom fields"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect
from sqlalchemy.dialects import postgresql

revision = "0011_custom_fields"
down_revision = "0010_read_customer_views"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "custom_field_copy",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resource", sa.Text(collation="C"), nullable=True),
        sa.Column("entity", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("custom_field_copy_resource", "custom_field_copy", ["tenant_id", "resource", "id"])
    protect("custom_field_copy")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
