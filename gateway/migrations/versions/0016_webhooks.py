"""Webhooks"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, open_to_system, protect
from sqlalchemy.dialects import postgresql

revision = "0016_webhooks"
down_revision = "0015_search"
branch_labels = None
depends_on = None

_C = sa.Text(collation="C")


def upgrade() -> None:
    op.create_table(
        "webhook_delivery",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("endpoint_id", _C, nullable=False),
        sa.Column("event_id", _C, nullable=False),
        sa.Column("type", _C, nullable=False),
        sa.Column("subject", _C, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("replay_id", _C, nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("log", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "webhook_delivery_endpoint", "webhook_delivery", ["tenant_id", "endpoint_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "webhook_delivery_over",
        "webhook_delivery",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("status <> 'waiting'"),
    )
    op.create_index(
        "webhook_delivery_position", "webhook_delivery", ["tenant_id", "endpoint_id", "position"], unique=False
    )
    op.create_index("webhook_delivery_subject", "webhook_delivery", ["tenant_id", "subject"])
    op.create_index(
        "webhook_delivery_waiting",
        "webhook_delivery",
        ["tenant_id", "endpoint_id", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("url", _C, nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("kinds", postgresql.ARRAY(_C), nullable=False),
        sa.Column("where", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("header_names", postgresql.ARRAY(_C), nullable=False),
        sa.Column("headers", sa.LargeBinary(), nullable=True),
        sa.Column("ordering", sa.Text(), nullable=False),
        sa.Column("rate_limit", sa.Integer(), nullable=True),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("payload_version", sa.Text(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("skip_origins", postgresql.ARRAY(_C), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_id", _C, nullable=True),
        sa.Column("roles", postgresql.ARRAY(_C), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(_C), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("webhook_endpoint_created", "webhook_endpoint", ["tenant_id", "created_at", "id"])
    op.create_table(
        "webhook_event",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("event_id", _C, nullable=False),
        sa.Column("type", _C, nullable=False),
        sa.Column("subject", _C, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", _C, nullable=True),
        sa.Column("contact_id", _C, nullable=True),
        sa.Column("account_id", _C, nullable=True),
        sa.Column("correlation_id", _C, nullable=True),
        sa.Column("hops", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "position"),
    )
    op.create_index(
        "webhook_event_contact",
        "webhook_event",
        ["tenant_id", "contact_id", "position"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_index("webhook_event_event", "webhook_event", ["tenant_id", "event_id"], unique=True)
    op.create_index("webhook_event_stored", "webhook_event", ["stored_at"])
    op.create_index("webhook_event_subject", "webhook_event", ["tenant_id", "subject", "position"])
    op.create_index(
        "webhook_event_tenant_stored", "webhook_event", ["tenant_id", "stored_at", "position"], unique=False
    )
    op.create_table(
        "webhook_journal",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("forgotten", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    op.create_table(
        "webhook_progress",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("endpoint_id", _C, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", _C, nullable=True),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rest_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replays", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "endpoint_id"),
    )
    op.create_table(
        "webhook_replay",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("endpoint_id", _C, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kinds", postgresql.ARRAY(_C), nullable=False),
        sa.Column("customer_id", _C, nullable=True),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("webhook_replay_endpoint", "webhook_replay", ["tenant_id", "endpoint_id", "id"])
    protect(
        "webhook_endpoint", "webhook_event", "webhook_journal", "webhook_progress", "webhook_delivery", "webhook_replay"
    )
    add_readers("webhook_endpoint")
    open_to_system(
        {
            "webhook_event": "select, delete",
            "webhook_journal": "select, update",
            "webhook_progress": "select",
            "webhook_delivery": "select, delete",
        }
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
