"""Territories are asked for by their mark"""

from crm_kit.db.migration_ops import add_mark

revision = "0007_territories_mark"
down_revision = "0006_readers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_mark("territories_mark", "territory", of="resource", standing="t.active")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
