"""Whose records are"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect_rights_tables
from sqlalchemy.dialects import postgresql

revision = "0003_rights"
down_revision = "0002_audit"
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
        "team_member",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("team_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.add_column(
        "account",
        sa.Column(
            "shares", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
    )
    op.create_index("account_owner", "account", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("account_team", "account", ["tenant_id", "team_id", "id"], unique=False)
    op.add_column(
        "contact",
        sa.Column(
            "shares", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
    )
    op.create_index("contact_owner", "contact", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("contact_team", "contact", ["tenant_id", "team_id", "id"], unique=False)
    protect_rights_tables()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
