"""Jobs that have not ended are counted, for whoever watches"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import open_to_system

revision = "0028_jobs_observed"
down_revision = "0027_duplicate_blocks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("job_open", "job", ["kind"], postgresql_where=sa.text("status in ('pending', 'running')"))
    open_to_system({"job": "select (kind, status, created_at, updated_at)"})


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
