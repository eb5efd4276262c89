"""Validation rules"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_mark, add_readers, protect
from sqlalchemy.dialects import postgresql

revision = "0024_validation_rules"
down_revision = "0023_bulk_changes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "validation_rule",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("message", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("condition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("when", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("field", sa.Text(collation="C"), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("validation_rule_created", "validation_rule", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("validation_rule_resource", "validation_rule", ["tenant_id", "resource", "id"], unique=False)
    protect("validation_rule")
    add_readers("validation_rule")
    add_mark("validation_rules_mark", "validation_rule", of="resource", standing="t.active")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
