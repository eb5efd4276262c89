"""Archived contacts"""

import sqlalchemy as sa
from alembic import op

revision = "0008_archived"
down_revision = "0007_privacy"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.add_column("contact_copy", sa.Column("archived", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
