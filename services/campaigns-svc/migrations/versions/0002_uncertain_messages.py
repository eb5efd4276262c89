"""Whether a message may have arrived though nobody was told"""

import sqlalchemy as sa
from alembic import op

revision = "0002_uncertain_messages"
down_revision = "0001_initial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.add_column("message", sa.Column("uncertain", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
