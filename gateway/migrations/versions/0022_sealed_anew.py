"""Digests of what sources say have a key of each tenant's, and what is sealed, and what is parked, is seen for all tenants"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import open_to_system, protect, system_role

revision = "0022_sealed_anew"
down_revision = "0021_observed"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbound_digest_key",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    protect("inbound_digest_key")
    open_to_system(
        {
            "inbound_digest_key": "select, update (sealed)",
            "webhook_endpoint": "select (id, secret, old_secret, headers), update (secret, old_secret, headers)",
        }
    )
    op.execute(f"grant select (status) on inbound_delivery to {system_role()}")
    op.execute(f"grant update (sealed, previous_sealed, pull_sealed) on inbound_source to {system_role()}")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
