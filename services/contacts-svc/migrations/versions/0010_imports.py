"""Imports and jobs"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, protect
from sqlalchemy.dialects import postgresql

revision = "0010_imports"
down_revision = "0009_custom_fields"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "import",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("delimiter", sa.Text(), nullable=True),
        sa.Column("sheet", sa.Text(), nullable=True),
        sa.Column("columns", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("match", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("on_match", sa.Text(), nullable=False),
        sa.Column("defaults", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("create_accounts", sa.Boolean(), nullable=False),
        sa.Column("day_first", sa.Boolean(), nullable=True),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reverted", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("job_id", sa.Text(collation="C"), nullable=True),
        sa.Column("requested_by", sa.Text(collation="C"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("linked", sa.BigInteger(), nullable=False),
        sa.Column("is_read", sa.Boolean(), nullable=False),
        sa.Column("reverted_to", sa.BigInteger(), nullable=True),
        sa.Column("revert_turn", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("import_created", "import", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("import_requested_by", "import", ["tenant_id", "requested_by", "created_at", "id"], unique=False)
    op.create_table(
        "import_chunk",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("import_id", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "import_id", "number"),
    )
    op.create_table(
        "import_key",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("import_id", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "import_id", "key"),
    )
    op.create_table(
        "import_result",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("import_id", sa.Text(collation="C"), nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Text(collation="C"), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("problem", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("reference", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("reverted", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "import_id", "row", "place"),
    )
    op.create_index(
        "import_result_entity",
        "import_result",
        ["tenant_id", "entity_id", "import_id"],
        unique=False,
        postgresql_where=sa.text("entity_id is not null"),
    )
    op.create_index(
        "import_result_outcome", "import_result", ["tenant_id", "import_id", "outcome", "row"], unique=False
    )
    op.create_index(
        "import_result_reference",
        "import_result",
        ["tenant_id", "import_id", "row"],
        unique=False,
        postgresql_where=sa.text("reference is not null"),
    )
    op.create_table(
        "job",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("error", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("requested_by", sa.Text(collation="C"), nullable=False),
        sa.Column("caller", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("job_about", "job", ["tenant_id", "about"], unique=False)
    protect("import", "import_chunk", "import_key", "import_result", "job")
    add_readers("import")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
