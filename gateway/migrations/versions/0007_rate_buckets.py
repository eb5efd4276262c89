"""Rate buckets"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import open_to_system, protect

revision = "0007_rate_buckets"
down_revision = "0006_sign_in"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "rate_bucket",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("subject", sa.Text(collation="C"), nullable=False),
        sa.Column("level", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "subject"),
        prefixes=["UNLOGGED"],
    )
    op.create_index("rate_bucket_at", "rate_bucket", ["at"], unique=False)
    protect("rate_bucket")
    open_to_system({"rate_bucket": "select, insert, update, delete"})


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
