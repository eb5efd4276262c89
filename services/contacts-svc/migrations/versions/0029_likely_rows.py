"""What becomes of an import's rows that are probably contacts that are there already"""

import sqlalchemy as sa
from alembic import op

revision = "0029_likely_rows"
down_revision = "0028_jobs_observed"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a default: processes of the release before write rows, too.
    op.add_column("import", sa.Column("duplicates", sa.Text(), server_default="allow", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
