"""Keys that duplicates are found by"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect
from sqlalchemy.dialects import postgresql

revision = "0009_match_keys"
down_revision = "0008_matching_indexes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Null until they are made: they are reckoned in Python, when a contact is written or its tenant is scanned.
    op.add_column("contact", sa.Column("match_keys", postgresql.ARRAY(sa.Integer()), nullable=True))
    op.create_index(
        "contact_match_keys",
        "contact",
        ["match_keys"],
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
    protect("duplicate_statistics")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
