"""Since when a view is stale, and jobs that have not ended, are told to whoever watches"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import open_to_system, system_role

revision = "0021_observed"
down_revision = "0020_webhook_replays"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A default that PostgreSQL evaluates once writes no row anew.
    op.execute("alter table stale_customer add column marked_at timestamptz not null default now()")
    op.execute(f"grant select (id, marked_at) on stale_customer to {system_role()}")
    # The stronger lock first: who holds the weaker one and asks for more meets writers who wait for it.
    open_to_system({"job": "select (kind, status, created_at, updated_at)"})
    op.create_index("job_open", "job", ["kind"], postgresql_where=sa.text("status in ('pending', 'running')"))


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
