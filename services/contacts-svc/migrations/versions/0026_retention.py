"""Retention rules and legal holds"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, index_privacy_tasks, protect
from sqlalchemy.dialects import postgresql

revision = "0026_retention"
down_revision = "0025_tag_rules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "legal_hold",
        *_entity(),
        sa.Column("contact_id", sa.Text(collation="C"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("placed_by", sa.Text(collation="C"), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.Text(collation="C"), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("legal_hold_created", "legal_hold", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("legal_hold_contact", "legal_hold", ["tenant_id", "contact_id", "id"], unique=False)
    standing = {"unique": False, "postgresql_where": sa.text("released_at is null")}
    op.create_index("legal_hold_standing", "legal_hold", ["tenant_id", "contact_id"], **standing)
    op.create_table(
        "retention_rule",
        *_entity(),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("where", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("counted_from", sa.Text(), nullable=False),
        sa.Column("after_days", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_run", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("retention_rule_created", "retention_rule", ["tenant_id", "created_at", "id"], unique=False)
    op.create_table(
        "retention_run",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("rule_id", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("place", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("failures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("retention_run_rule", "retention_run", ["tenant_id", "rule_id", "id"], unique=False)
    op.create_table(
        "last_activity",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("contact_id", sa.Text(collation="C"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "contact_id"),
    )
    op.create_table(
        "export_subjects",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("export_id", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("contact_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "export_id", "number"),
    )
    op.create_index(
        "export_subjects_contact_ids",
        "export_subjects",
        ["tenant_id", "contact_ids"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    archived = {"unique": False, "postgresql_where": sa.text("archived_at is not null")}
    op.create_index("contact_archived_at", "contact", ["tenant_id", "archived_at", "id"], **archived)
    running = {"unique": False, "postgresql_where": sa.text("status = 'running'")}
    op.create_index("privacy_request_open", "privacy_request", ["tenant_id", "kind", "id"], **running)
    index_privacy_tasks()
    protect("legal_hold", "retention_rule", "retention_run", "last_activity", "export_subjects")
    add_readers("legal_hold", "retention_rule")


def _entity() -> list["sa.Column[Any]"]:
    return [
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
