"""Merges"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, create_merging_tables, protect
from sqlalchemy.dialects import postgresql

revision = "0016_merges"
down_revision = "0015_pools"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "merge",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("into_id", sa.Text(collation="C"), nullable=False),
        sa.Column("from_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(collation="C"), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("merge_created", "merge", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("merge_into", "merge", ["tenant_id", "into_id", "id"], unique=False)
    op.create_table(
        "merged_contact",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("merge_id", sa.Text(collation="C"), nullable=False),
        sa.Column("into_id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("merged_contact_into", "merged_contact", ["tenant_id", "into_id", "id"], unique=False)
    op.add_column(
        "contact",
        sa.Column(
            "merged_from",
            postgresql.ARRAY(sa.Text(collation="C")),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
        ),
    )
    op.add_column(
        "contact",
        sa.Column(
            "other_external_ids",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
    )
    protect("merge", "merged_contact")
    add_readers("merge")
    create_merging_tables()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
