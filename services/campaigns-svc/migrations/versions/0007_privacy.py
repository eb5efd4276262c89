"""Privacy requests are followed"""

from crm_kit.db.migration_ops import create_privacy_tables

revision = "0007_privacy"
down_revision = "0006_merging"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_privacy_tables()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
