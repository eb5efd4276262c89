"""Audit log"""

from crm_kit.db.migration_ops import create_audit_log

revision = "0002_audit"
down_revision = "0001_initial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_audit_log()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
