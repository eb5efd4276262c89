"""Roles, and whose records are"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import create_rights_tables, protect
from sqlalchemy.dialects import postgresql

revision = "0005_rights"
down_revision = "0004_audit"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "role",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("grants", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("role_created", "role", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("role_name", "role", ["tenant_id", "name"], unique=True)
    op.add_column("api_key", sa.Column("user_id", sa.Text(collation="C"), nullable=True))
    op.add_column(
        "api_key",
        sa.Column(
            "roles", postgresql.ARRAY(sa.Text(collation="C")), server_default=sa.text("'{}'::text[]"), nullable=False
        ),
    )
    op.add_column(
        "crm_user",
        sa.Column(
            "roles", postgresql.ARRAY(sa.Text(collation="C")), server_default=sa.text("'{}'::text[]"), nullable=False
        ),
    )
    op.create_index("crm_user_roles", "crm_user", ["roles"], unique=False, postgresql_using="gin")
    protect("role")
    create_rights_tables()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
