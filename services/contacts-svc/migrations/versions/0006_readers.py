"""Records are read by id several at once"""

from crm_kit.db.migration_ops import add_readers

revision = "0006_readers"
down_revision = "0005_search"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_readers("account", "activity", "consent", "contact", "territory")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
