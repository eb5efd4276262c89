"""Relationships"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, protect
from sqlalchemy.dialects import postgresql

revision = "0020_relationships"
down_revision = "0019_privacy"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "relationship",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("contact_id", sa.Text(collation="C"), nullable=False),
        sa.Column("account_id", sa.Text(collation="C"), nullable=True),
        sa.Column("related_contact_id", sa.Text(collation="C"), nullable=True),
        sa.Column("contact_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("home_contact_id", sa.Text(collation="C"), nullable=False),
        sa.Column("home_related_id", sa.Text(collation="C"), nullable=True),
        sa.Column("label", sa.Text(collation="C"), nullable=False),
        sa.Column("label_key", sa.Text(collation="C"), nullable=False),
        sa.Column("inverse_label", sa.Text(collation="C"), nullable=True),
        sa.Column("inverse_key", sa.Text(collation="C"), nullable=True),
        sa.Column("primary", sa.Boolean(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "relationship_account",
        "relationship",
        ["tenant_id", "account_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("account_id is not null"),
    )
    op.create_index(
        "relationship_contact", "relationship", ["tenant_id", "contact_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "relationship_contact_ids",
        "relationship",
        ["tenant_id", "contact_ids"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index("relationship_created", "relationship", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "relationship_related",
        "relationship",
        ["tenant_id", "related_contact_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("related_contact_id is not null"),
    )
    op.create_table(
        "relationship_aside",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("end_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "relationship_aside_end_ids",
        "relationship_aside",
        ["tenant_id", "end_ids"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    protect("relationship", "relationship_aside")
    add_readers("relationship")
    op.create_index(
        "account_parent",
        "account",
        ["tenant_id", "parent_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("parent_id is not null"),
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
