"""Pairs of duplicates are records, and scans are jobs"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, protect
from sqlalchemy.dialects import postgresql

revision = "0017_duplicates"
down_revision = "0016_merges"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "duplicate_scan",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("merge", sa.Boolean(), nullable=False),
        sa.Column("contacts", sa.BigInteger(), nullable=True),
        sa.Column("compared", sa.BigInteger(), nullable=False),
        sa.Column("merged", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(collation="C"), nullable=False),
        sa.Column("job_id", sa.Text(collation="C"), nullable=True),
        sa.Column("requested_by", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("duplicate_scan_created", "duplicate_scan", ["tenant_id", "created_at", "id"], unique=False)
    # Nothing has written into it: no release before could scan.
    op.drop_table("duplicate_pair")
    op.create_table(
        "duplicate_pair",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("older_id", sa.Text(collation="C"), nullable=False),
        sa.Column("newer_id", sa.Text(collation="C"), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("why", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("contradictions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("may_merge", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("duplicate_pair_once", "duplicate_pair", ["tenant_id", "newer_id", "older_id"], unique=True)
    op.create_index("duplicate_pair_older", "duplicate_pair", ["tenant_id", "older_id"], unique=False)
    op.create_index("duplicate_pair_score", "duplicate_pair", ["tenant_id", "status", "score", "id"], unique=False)
    protect("duplicate_pair", "duplicate_scan")
    add_readers("duplicate_scan")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
