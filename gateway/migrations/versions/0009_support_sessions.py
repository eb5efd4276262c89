"""Support sessions"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009_support_sessions"
down_revision = "0008_transfers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.add_column("api_key", sa.Column("support", postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
