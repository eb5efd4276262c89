"""Jobs that have not ended are counted, for whoever watches"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import open_to_system

revision = "0028_jobs_observed"
down_revision = "0027_duplicate_blocks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The stronger lock first: who holds the weaker one and asks for more meets writers who wait for it.
    open_to_system({"job": "select (kind, status, created_at, updated_at)"})
    op.create_index("job_open", "job", ["kind"], postgresql_where=sa.text("status in ('pending', 'running')"))


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
