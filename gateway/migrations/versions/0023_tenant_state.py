"""Tenants can be read-only, and be deleted, and every transaction heeds it"""

from crm_kit.db.migration_ops import create_tenant_state

revision = "0023_tenant_state"
down_revision = "0022_sealed_anew"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_tenant_state()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
