"""Users and teams"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect
from sqlalchemy.dialects import postgresql

revision = "0003_users_and_teams"
down_revision = "0002_allowed_origins"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "crm_user",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("email", sa.Text(collation="C"), nullable=False),
        sa.Column("email_key", sa.Text(collation="C"), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("teams", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("team_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("external_id", sa.Text(collation="C"), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("crm_user_created", "crm_user", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("crm_user_email", "crm_user", ["tenant_id", "email_key"], unique=True)
    op.create_index("crm_user_external_id", "crm_user", ["tenant_id", "external_id"], unique=True)
    op.create_index("crm_user_teams", "crm_user", ["team_ids"], unique=False, postgresql_using="gin")
    op.create_table(
        "team",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("parent_id", sa.Text(collation="C"), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("team_created", "team", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("team_parent", "team", ["tenant_id", "parent_id"], unique=False)
    protect("team", "crm_user")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
