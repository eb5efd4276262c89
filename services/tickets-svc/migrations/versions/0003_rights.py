"""Whose records are"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import create_rights_tables
from sqlalchemy.dialects import postgresql

revision = "0003_rights"
down_revision = "0002_audit"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.add_column("ticket", sa.Column("team_id", sa.Text(collation="C"), nullable=True))
    op.add_column(
        "ticket",
        sa.Column(
            "shares", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
    )
    op.create_index("ticket_team", "ticket", ["tenant_id", "team_id", "id"], unique=False)
    create_rights_tables()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
