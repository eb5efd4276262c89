"""Open invoices are read by the day on which they are due"""

import sqlalchemy as sa
from alembic import op

revision = "0018_invoices"
down_revision = "0017_inbound"
branch_labels = None
depends_on = None

_DUE = sa.text("type = 'invoice' and open and not deleted")


def upgrade() -> None:
    # Of a table that holds none yet.
    for whose in ("contact", "account"):
        op.create_index(
            f"entity_{whose}_due", "entity", ["tenant_id", f"{whose}_id", "at", "id"], postgresql_where=_DUE
        )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
