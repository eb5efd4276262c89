"""Erasures that wait are found, and whoever was erased"""

from crm_kit.db.migration_ops import index_privacy_tasks

revision = "0007_privacy_tasks"
down_revision = "0006_privacy"
branch_labels = None
depends_on = None


def upgrade() -> None:
    index_privacy_tasks()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
