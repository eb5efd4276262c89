"""Since when a view is stale is told, to whoever watches"""

from alembic import op
from crm_kit.db.migration_ops import system_role

revision = "0019_observed"
down_revision = "0018_invoices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A default that PostgreSQL evaluates once writes no row anew.
    op.execute("alter table stale_customer add column marked_at timestamptz not null default now()")
    op.execute(f"grant select (id, marked_at) on stale_customer to {system_role()}")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
