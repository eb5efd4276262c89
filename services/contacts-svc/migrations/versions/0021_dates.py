"""Date reminders"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, protect

revision = "0021_dates"
down_revision = "0020_relationships"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "date_occurrence",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminder_id", sa.Text(collation="C"), nullable=False),
        sa.Column("record_id", sa.Text(collation="C"), nullable=False),
        sa.Column("contact_id", sa.Text(collation="C"), nullable=True),
        sa.Column("account_id", sa.Text(collation="C"), nullable=True),
        sa.Column("field", sa.Text(collation="C"), nullable=False),
        sa.Column("occurs_on", sa.Date(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "date_occurrence_account",
        "date_occurrence",
        ["tenant_id", "account_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("account_id is not null"),
    )
    op.create_index(
        "date_occurrence_contact",
        "date_occurrence",
        ["tenant_id", "contact_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("contact_id is not null"),
    )
    op.create_index("date_occurrence_created", "date_occurrence", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "date_occurrence_day", "date_occurrence", ["tenant_id", "reminder_id", "occurs_on", "id"], unique=False
    )
    op.create_index(
        "date_occurrence_once", "date_occurrence", ["tenant_id", "reminder_id", "record_id", "occurs_on"], unique=True
    )
    op.create_table(
        "date_reminder",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(collation="C"), nullable=False),
        sa.Column("repeats", sa.Text(), nullable=False),
        sa.Column("days_before", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("date_reminder_created", "date_reminder", ["tenant_id", "created_at", "id"], unique=False)
    protect("date_occurrence", "date_reminder")
    add_readers("date_occurrence", "date_reminder")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
