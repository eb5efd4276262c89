"""Whose records are"""

from crm_kit.db.migration_ops import create_rights_tables

revision = "0004_rights"
down_revision = "0003_audit"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    create_rights_tables()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
