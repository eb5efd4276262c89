"""Archiving"""

import sqlalchemy as sa
from alembic import op

revision = "0022_archive"
down_revision = "0021_dates"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    for table in ("account", "contact"):
        op.add_column(table, sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
        op.create_index(
            f"{table}_archived",
            table,
            ["tenant_id", "created_at", "id"],
            unique=False,
            postgresql_where=sa.text("archived_at is not null"),
        )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
