"""Merged records are followed"""

from crm_kit.db.migration_ops import create_merging_tables

revision = "0012_merging"
down_revision = "0011_custom_fields"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_merging_tables()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
