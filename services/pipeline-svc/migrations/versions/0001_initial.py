"""First tables"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect, protect_kit_tables
from sqlalchemy.dialects import postgresql

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "consumer_position",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "topic", "partition"),
    )
    op.create_table(
        "deal",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("pipeline_id", sa.Text(collation="C"), nullable=False),
        sa.Column("stage_id", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount_value", sa.Numeric(), nullable=True),
        sa.Column("amount_currency", sa.Text(collation="C"), nullable=True),
        sa.Column("expected_close", sa.Date(), nullable=True),
        sa.Column("contact_id", sa.Text(collation="C"), nullable=True),
        sa.Column("account_id", sa.Text(collation="C"), nullable=True),
        sa.Column("owner_id", sa.Text(collation="C"), nullable=True),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("next_step", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_reason", sa.Text(), nullable=True),
        sa.Column("stage_history", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("stage_entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("deal_account", "deal", ["tenant_id", "account_id", "created_at", "id"], unique=False)
    op.create_index("deal_account_moved", "deal", ["tenant_id", "account_id", "stage_entered_at", "id"], unique=False)
    op.create_index("deal_contact", "deal", ["tenant_id", "contact_id", "created_at", "id"], unique=False)
    op.create_index("deal_contact_moved", "deal", ["tenant_id", "contact_id", "stage_entered_at", "id"], unique=False)
    op.create_index("deal_created", "deal", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("deal_name", "deal", ["tenant_id", "name", "id"], unique=False)
    op.create_index("deal_owner", "deal", ["tenant_id", "owner_id", "id"], unique=False)
    op.create_index("deal_pipeline", "deal", ["tenant_id", "pipeline_id", "id"], unique=False)
    op.create_index("deal_stage", "deal", ["tenant_id", "stage_id", "id"], unique=False)
    op.create_index("deal_tags", "deal", ["tags"], unique=False, postgresql_using="gin")
    op.create_index("deal_updated", "deal", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
    )
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"], unique=False)
    op.create_table(
        "order_counter",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("quarantined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("letter_id", sa.Text(collation="C"), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "outbox_quarantined", "outbox", ["key"], unique=False, postgresql_where=sa.text("quarantined_at is not null")
    )
    op.create_index("outbox_shard", "outbox", ["shard", "id"], unique=False)
    op.create_table(
        "parked_event",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("consumer", "topic", "partition", "offset", name="parked_event_once"),
    )
    op.create_index("parked_event_key", "parked_event", ["tenant_id", "consumer", "topic", "key"], unique=False)
    op.create_index("parked_event_newest", "parked_event", ["tenant_id", "id"], unique=False)
    op.create_table(
        "pipeline",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("stages", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("stage_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("pipeline_created", "pipeline", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("pipeline_default", "pipeline", ["tenant_id"], unique=True, postgresql_where=sa.text("is_default"))
    op.create_index("pipeline_name", "pipeline", ["tenant_id", "name", "id"], unique=False)
    op.create_index("pipeline_updated", "pipeline", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "sales_order",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Text(collation="C"), nullable=False),
        sa.Column("source", sa.Text(collation="C"), nullable=True),
        sa.Column("external_id", sa.Text(collation="C"), nullable=True),
        sa.Column("contact_id", sa.Text(collation="C"), nullable=True),
        sa.Column("account_id", sa.Text(collation="C"), nullable=True),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("total_amount", sa.Numeric(), nullable=False),
        sa.Column("total_currency", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("order_account", "sales_order", ["tenant_id", "account_id", "placed_at", "id"], unique=False)
    op.create_index("order_contact", "sales_order", ["tenant_id", "contact_id", "placed_at", "id"], unique=False)
    op.create_index("order_created", "sales_order", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "order_external_id",
        "sales_order",
        ["tenant_id", "external_id", "source"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("external_id is not null"),
    )
    op.create_index(
        "order_number",
        "sales_order",
        ["tenant_id", "number", "source"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("order_placed", "sales_order", ["tenant_id", "placed_at", "id"], unique=False)
    op.create_index("order_tags", "sales_order", ["tags"], unique=False, postgresql_using="gin")
    op.create_index("order_updated", "sales_order", ["tenant_id", "updated_at", "id"], unique=False)
    op.create_table(
        "timer",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "kind", "key", name="timer_once"),
    )
    op.create_index("timer_due", "timer", ["kind", "due_at"], unique=False)
    protect("deal", "order_counter", "pipeline", "sales_order")
    protect_kit_tables()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
