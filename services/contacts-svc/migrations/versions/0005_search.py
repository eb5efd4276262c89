"""Search by a part of a name"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import create_text_grams
from sqlalchemy.dialects import postgresql

revision = "0005_search"
down_revision = "0004_territories"
branch_labels = None
depends_on = None

_NAMES = {"account": "name", "contact": "full_name, first_name, last_name"}


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    # This one then holds its locks for long, since PostgreSQL writes both tables anew: docs/guides/upgrading.md.
    op.execute("set local transaction_timeout = 0")
    op.execute("set local maintenance_work_mem = '256MB'")
    create_text_grams()
    for table, names in _NAMES.items():
        grams = sa.Computed(f"text_grams(tenant_id, {names})", persisted=True)
        op.add_column(table, sa.Column("name_grams", postgresql.ARRAY(sa.Integer()), grams, nullable=True))
        op.create_index(f"{table}_name_grams", table, ["name_grams"], unique=False, postgresql_using="gin")
        op.create_index(f"{table}_stage", table, ["tenant_id", "lifecycle_stage", "created_at", "id"], unique=False)
    op.create_index("contact_source", "contact", ["tenant_id", "source", "id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
