"""Territories"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect
from sqlalchemy.dialects import postgresql

revision = "0004_territories"
down_revision = "0003_rights"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "territory",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("where", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("team_id", sa.Text(collation="C"), nullable=False),
        sa.Column("owner_id", sa.Text(collation="C"), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("territory_created", "territory", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("territory_order", "territory", ["tenant_id", "resource", "position", "id"], unique=False)
    protect("territory")
    for table in ("account", "contact"):
        op.add_column(table, sa.Column("territory_id", sa.Text(collation="C"), nullable=True))
        op.add_column(table, sa.Column("territory_team_id", sa.Text(collation="C"), nullable=True))
        op.add_column(table, sa.Column("territory_owner_id", sa.Text(collation="C"), nullable=True))
        op.create_index(f"{table}_territory", table, ["tenant_id", "territory_id", "id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
