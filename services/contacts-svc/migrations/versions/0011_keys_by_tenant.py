"""What is looked up by a key is found by tenant and key in one index"""

from alembic import op

revision = "0011_keys_by_tenant"
down_revision = "0010_imports"
branch_labels = None
depends_on = None

_KEYS = (
    ("contact", "email_keys"),
    ("contact", "phone_numbers"),
    ("contact", "external_keys"),
    ("contact", "tags"),
    ("account", "external_keys"),
    ("account", "tags"),
)


def upgrade() -> None:
    for table, column in _KEYS:
        index = f"{table}_{column}"
        op.execute(f"drop index {index}")
        op.execute(f"create index {index} on {table} using gin (tenant_id, {column}) with (fastupdate = off)")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
