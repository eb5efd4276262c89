"""Progress of webhook replays, and journals that tell of what is new"""

import sqlalchemy as sa
from alembic import op

revision = "0020_webhook_replays"
down_revision = "0019_backfills"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("webhook_delivery", "webhook_replay"):
        op.add_column(table, sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        op.add_column(table, _moment("updated_at"))
    op.add_column("webhook_replay", _moment("created_at"))
    op.add_column("webhook_replay", sa.Column("start", sa.BigInteger(), nullable=True))
    op.add_column("webhook_replay", sa.Column("delivered", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("webhook_replay", sa.Column("failed", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("webhook_replay", sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "webhook_delivery_replay",
        "webhook_delivery",
        ["tenant_id", "replay_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("replay_id is not null"),
    )
    # Whoever reads a journal need not look again and again: it is told when something is committed.
    op.execute(
        "create function webhook_journal_notify() returns trigger language plpgsql as"
        " $$ begin perform pg_notify('webhook_journal', new.tenant_id); return null; end $$"
    )
    op.execute(
        "create trigger webhook_journal_notify after update of last on webhook_journal"
        " for each row when (new.last > old.last) execute function webhook_journal_notify()"
    )


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()"))


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
