"""Custom fields"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_mark, add_readers, protect
from sqlalchemy.dialects import postgresql

revision = "0009_custom_fields"
down_revision = "0008_matching_indexes"
branch_labels = None
depends_on = None


def _json(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[object]:
    given = sa.text(f"'{default}'::jsonb") if default is not None else None
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=nullable, server_default=given)


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "custom_field",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        _json("label"),
        _json("description", nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        _json("choices"),
        sa.Column("required", sa.Boolean(), nullable=False),
        _json("default", nullable=True),
        _json("rules"),
        sa.Column("sensitivity", sa.Text(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("custom_field_created", "custom_field", ["tenant_id", "created_at", "id"])
    op.create_index("custom_field_name", "custom_field", ["tenant_id", "resource", "name"], unique=True)
    protect("custom_field")
    add_readers("custom_field")
    add_mark("custom_fields_mark", "custom_field", of="resource")
    # The default stays: a release that does not know the column may write beside this one.
    op.add_column("activity", _json("custom", default="{}"))
    op.execute("create extension if not exists btree_gin")
    for table in ("contact", "account", "activity"):
        op.create_index(
            f"{table}_custom",
            table,
            ["tenant_id", "custom"],
            postgresql_using="gin",
            postgresql_ops={"custom": "jsonb_path_ops"},
            postgresql_with={"fastupdate": "off"},
        )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
