"""Products, invoices, payments, and what was given back of orders"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, protect
from sqlalchemy.dialects import postgresql

revision = "0008_billing"
down_revision = "0007_privacy_tasks"
branch_labels = None
depends_on = None

_C = sa.Text(collation="C")
_TIME = sa.DateTime(timezone=True)
_JSON = postgresql.JSONB(astext_type=sa.Text())


def _entity() -> list[sa.Column[object]]:
    return [
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("source", _C, nullable=True),
        sa.Column("external_id", _C, nullable=True),
        sa.Column("tags", postgresql.ARRAY(_C), nullable=False),
        sa.Column("custom", _JSON, nullable=False),
        sa.Column("source_updated_at", _TIME, nullable=True),
    ]


def _sold() -> list[sa.Column[object]]:
    return [
        *_entity(),
        sa.Column("contact_id", _C, nullable=True),
        sa.Column("account_id", _C, nullable=True),
        sa.Column("owner_id", _C, nullable=True),
        sa.Column("team_id", _C, nullable=True),
        sa.Column("shares", _JSON, server_default=sa.text("'[]'::jsonb"), nullable=False),
    ]


def _indexed(table: str) -> None:
    op.create_index(f"{table}_created", table, ["tenant_id", "created_at", "id"])
    op.create_index(f"{table}_updated", table, ["tenant_id", "updated_at", "id"])
    op.create_index(
        f"{table}_external_id",
        table,
        ["tenant_id", "external_id", "source"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("external_id is not null"),
    )
    op.create_index(f"{table}_tags", table, ["tags"], postgresql_using="gin")


def _indexed_as_sold(table: str, time: str) -> None:
    _indexed(table)
    op.create_index(f"{table}_owner", table, ["tenant_id", "owner_id", "id"])
    op.create_index(f"{table}_team", table, ["tenant_id", "team_id", "id"])
    op.create_index(f"{table}_contact", table, ["tenant_id", "contact_id", time, "id"])
    op.create_index(f"{table}_account", table, ["tenant_id", "account_id", time, "id"])


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    _products()
    _invoices()
    _payments()
    protect("product", "invoice", "invoice_counter", "payment")
    add_readers("product", "invoice", "payment")
    _refunds()


def _products() -> None:
    op.create_table(
        "product",
        *_entity(),
        sa.Column("name", _C, nullable=False),
        sa.Column("sku", _C, nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("price_amount", sa.Numeric(), nullable=True),
        sa.Column("price_currency", _C, nullable=True),
        sa.Column("category", _C, nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    _indexed("product")
    op.create_index("product_name", "product", ["tenant_id", "name", "id"])
    op.create_index("product_sku", "product", ["tenant_id", "sku", "source"])


def _invoices() -> None:
    op.create_table(
        "invoice",
        *_sold(),
        sa.Column("number", _C, nullable=False),
        sa.Column("order_id", _C, nullable=True),
        sa.Column("lines", _JSON, nullable=False),
        sa.Column("total_amount", sa.Numeric(), nullable=False),
        sa.Column("total_currency", _C, nullable=False),
        sa.Column("paid_amount", sa.Numeric(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stated", sa.Text(), nullable=False),
        sa.Column("issued_at", _TIME, nullable=True),
        sa.Column("due_at", sa.Date(), nullable=True),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    _indexed_as_sold("invoice", "issued_at")
    op.create_index(
        "invoice_number",
        "invoice",
        ["tenant_id", "number", "source"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("invoice_issued", "invoice", ["tenant_id", "issued_at", "id"])
    op.create_index("invoice_due", "invoice", ["tenant_id", "due_at", "id"])
    for whose in ("contact", "account"):
        op.create_index(
            f"invoice_{whose}_due",
            "invoice",
            ["tenant_id", f"{whose}_id", "due_at", "id"],
            postgresql_where=sa.text("status = 'open'"),
        )
    op.create_index(
        "invoice_order", "invoice", ["tenant_id", "order_id", "id"], postgresql_where=sa.text("order_id is not null")
    )
    op.create_table(
        "invoice_counter",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )


def _payments() -> None:
    op.create_table(
        "payment",
        *_sold(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_id", _C, nullable=True),
        sa.Column("invoice_id", _C, nullable=True),
        sa.Column("amount_value", sa.Numeric(), nullable=False),
        sa.Column("amount_currency", _C, nullable=False),
        sa.Column("method", _C, nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("paid_at", _TIME, nullable=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("reference", _C, nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    _indexed_as_sold("payment", "at")
    op.create_index("payment_paid", "payment", ["tenant_id", "paid_at", "id"])
    for whose in ("invoice", "order"):
        op.create_index(
            f"payment_{whose}",
            "payment",
            ["tenant_id", f"{whose}_id", "id"],
            postgresql_where=sa.text(f"{whose}_id is not null"),
        )


def _refunds() -> None:
    op.add_column("sales_order", sa.Column("source_updated_at", _TIME, nullable=True))
    op.add_column("sales_order", sa.Column("refunds", _JSON, server_default=sa.text("'[]'::jsonb"), nullable=False))
    op.add_column("sales_order", sa.Column("refunded_amount", sa.Numeric(), nullable=True))
    op.add_column("sales_order", sa.Column("refunded_at", _TIME, nullable=True))
    for whose in ("contact", "account"):
        op.create_index(
            f"order_{whose}_refunded",
            "sales_order",
            ["tenant_id", f"{whose}_id", "refunded_at", "id"],
            postgresql_where=sa.text("refunded_at is not null"),
        )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
