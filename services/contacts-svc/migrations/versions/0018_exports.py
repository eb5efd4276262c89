"""Exports"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, protect
from sqlalchemy.dialects import postgresql

revision = "0018_exports"
down_revision = "0017_duplicates"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "export",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("where", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("sort", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("columns", postgresql.ARRAY(sa.Text(collation="C")), nullable=True),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("delimiter", sa.Text(), nullable=True),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("cut", sa.BigInteger(), nullable=False),
        sa.Column("shown", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("job_id", sa.Text(collation="C"), nullable=True),
        sa.Column("requested_by", sa.Text(collation="C"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("place", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("export_created", "export", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("export_requested_by", "export", ["tenant_id", "requested_by", "created_at", "id"], unique=False)
    op.create_table(
        "export_piece",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("export_id", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "export_id", "number"),
    )
    protect("export", "export_piece")
    add_readers("export")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
