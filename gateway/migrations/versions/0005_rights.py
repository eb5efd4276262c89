"""Roles, and whose records are"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect, protect_rights_tables
from sqlalchemy.dialects import postgresql

revision = "0005_rights"
down_revision = "0004_audit"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "owner_share",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("grantee_id", sa.Text(collation="C"), nullable=False),
        sa.Column("record_id", sa.Text(collation="C"), nullable=False),
        sa.Column("writes", sa.Boolean(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "grantee_id", "record_id"),
    )
    op.create_index("owner_share_record", "owner_share", ["tenant_id", "record_id"], unique=False)
    op.create_table(
        "record_owner",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.Text(collation="C"), nullable=True),
        sa.Column("team_id", sa.Text(collation="C"), nullable=True),
        sa.Column("above_id", sa.Text(collation="C"), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("record_owner_above", "record_owner", ["tenant_id", "above_id", "id"], unique=False)
    op.create_index("record_owner_owner", "record_owner", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("record_owner_team", "record_owner", ["tenant_id", "team_id", "id"], unique=False)
    op.create_table(
        "record_share",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("grantee_id", sa.Text(collation="C"), nullable=False),
        sa.Column("record_id", sa.Text(collation="C"), nullable=False),
        sa.Column("writes", sa.Boolean(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "grantee_id", "record_id"),
    )
    op.create_index("record_share_record", "record_share", ["tenant_id", "record_id"], unique=False)
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
    op.create_table(
        "team_member",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("team_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
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
    protect_rights_tables()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
