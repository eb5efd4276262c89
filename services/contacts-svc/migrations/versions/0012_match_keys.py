"""Keys that duplicates are found by"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect
from sqlalchemy.dialects import postgresql

revision = "0012_match_keys"
down_revision = "0011_keys_by_tenant"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Null until they are made: they are reckoned in Python, when a contact is written or its tenant is scanned.
    op.add_column("contact", sa.Column("match_keys", postgresql.ARRAY(sa.Integer()), nullable=True))
    op.create_index(
        "contact_match_keys",
        "contact",
        ["tenant_id", "match_keys"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index(
        "contact_unkeyed",
        "contact",
        ["tenant_id", "id"],
        unique=False,
        postgresql_where=sa.text("match_keys is null"),
    )
    op.create_table(
        "duplicate_statistics",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    op.create_table(
        "duplicate_pair",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("older_id", sa.Text(collation="C"), nullable=False),
        sa.Column("newer_id", sa.Text(collation="C"), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("why", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("contradictions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "older_id", "newer_id"),
    )
    op.create_index("duplicate_pair_newer", "duplicate_pair", ["tenant_id", "newer_id"], unique=False)
    op.create_index("duplicate_pair_score", "duplicate_pair", ["tenant_id", "score"], unique=False)
    protect("duplicate_statistics", "duplicate_pair")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
