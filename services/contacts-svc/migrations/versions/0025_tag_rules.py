"""Tag rules, and what orders, deals and tickets say of contacts"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_mark, add_readers, protect
from sqlalchemy.dialects import postgresql

revision = "0025_tag_rules"
down_revision = "0024_validation_rules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "tag_rule",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("tag", sa.Text(collation="C"), nullable=False),
        sa.Column("where", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("tag_rule_created", "tag_rule", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("tag_rule_tag", "tag_rule", ["tenant_id", "tag", "id"], unique=False)
    op.create_table(
        "fact_copy",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("contact_id", sa.Text(collation="C"), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("urgent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "fact_copy_contact",
        "fact_copy",
        ["tenant_id", "contact_id"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_table(
        "contact_facts",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("contact_id", sa.Text(collation="C"), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "contact_id"),
    )
    op.add_column(
        "contact",
        sa.Column(
            "rule_tags",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column("contact", sa.Column("rules_due_at", sa.DateTime(timezone=True), nullable=True))
    # Nobody has one yet: the index is made over nothing.
    op.create_index(
        "contact_rules_due",
        "contact",
        ["tenant_id", "rules_due_at"],
        unique=False,
        postgresql_where=sa.text("rules_due_at is not null"),
    )
    protect("tag_rule", "fact_copy", "contact_facts")
    add_readers("tag_rule")
    add_mark("tag_rules_mark", "tag_rule", of=None, standing="t.active")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
