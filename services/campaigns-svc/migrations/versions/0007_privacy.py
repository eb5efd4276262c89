"""Privacy requests are followed, and whom nothing may be sent to is known"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import create_privacy_tables

revision = "0007_privacy"
down_revision = "0006_merging"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_privacy_tables()
    for name in ("do_not_contact", "restricted"):
        # The default stays: a release that does not know the column may write beside this one.
        op.add_column("contact_copy", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
