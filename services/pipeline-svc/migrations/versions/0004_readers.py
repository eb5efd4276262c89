"""Records are read by id several at once"""

from crm_kit.db.migration_ops import add_readers

revision = "0004_readers"
down_revision = "0003_rights"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_readers("deal", "pipeline", "sales_order")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
