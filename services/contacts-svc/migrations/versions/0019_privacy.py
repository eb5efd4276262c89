"""Privacy requests"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, create_privacy_tables, protect
from sqlalchemy.dialects import postgresql

revision = "0019_privacy"
down_revision = "0018_exports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasure_evidence",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_id", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "digest", "request_id"),
    )
    op.create_table(
        "privacy_piece",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("request_id", sa.Text(collation="C"), nullable=False),
        sa.Column("service", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("is_last", sa.Boolean(), nullable=False),
        sa.Column("records", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "request_id", "service", "number"),
    )
    op.create_table(
        "privacy_request",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(collation="C"), nullable=False),
        sa.Column("subject_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(collation="C"), nullable=False),
        sa.Column("receipts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("job_id", sa.Text(collation="C"), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("privacy_request_contact", "privacy_request", ["tenant_id", "contact_id", "id"], unique=False)
    op.create_index("privacy_request_created", "privacy_request", ["tenant_id", "created_at", "id"], unique=False)
    op.create_table(
        "privacy_salt",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    op.create_table(
        "consent_purpose",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purpose", sa.Text(collation="C"), nullable=False),
        sa.Column("label", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("wording_version", sa.Integer(), nullable=False),
        sa.Column("channels", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("separate", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("consent_purpose_created", "consent_purpose", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("consent_purpose_once", "consent_purpose", ["tenant_id", "purpose"], unique=True)
    op.add_column("consent", sa.Column("separate", sa.Boolean(), server_default=sa.false(), nullable=False))
    for name in ("do_not_contact", "restricted"):
        # The default stays: a release that does not know the column may write beside this one.
        op.add_column("contact", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
    restricted = {"unique": False, "postgresql_where": sa.text("restricted")}
    op.create_index("contact_restricted", "contact", ["tenant_id", "id"], **restricted)
    protect("consent_purpose", "privacy_request", "privacy_piece", "erasure_evidence", "privacy_salt")
    add_readers("consent_purpose", "privacy_request")
    create_privacy_tables()


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
