"""Sign-in"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import open_to_system, protect
from sqlalchemy.dialects import postgresql

revision = "0006_sign_in"
down_revision = "0005_rights"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "identity_provider",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(collation="C"), nullable=False),
        sa.Column("audiences", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("algorithms", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("token_types", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("leeway_seconds", sa.Integer(), nullable=False),
        sa.Column("required_claims", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("claims", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("teams", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("roles", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("provision", sa.Boolean(), nullable=False),
        sa.Column("default_roles", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("trust_email", sa.Boolean(), nullable=False),
        sa.Column("domains", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("identity_provider_created", "identity_provider", ["tenant_id", "created_at", "id"], unique=False)
    op.create_table(
        "identity_provider_audience",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("provider_id", sa.Text(collation="C"), nullable=False),
        sa.Column("audience", sa.Text(collation="C"), nullable=False),
        sa.Column("issuer", sa.Text(collation="C"), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "provider_id", "audience"),
    )
    op.create_index(
        "identity_provider_audience_once", "identity_provider_audience", ["issuer", "audience"], unique=True
    )
    op.create_table(
        "sign_in_link",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("provider_id", sa.Text(collation="C"), nullable=False),
        sa.Column("subject", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.Column("claims_digest", sa.LargeBinary(), nullable=False),
        sa.Column("claims_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "provider_id", "subject"),
    )
    op.create_index("sign_in_link_user", "sign_in_link", ["tenant_id", "user_id"], unique=False)
    op.create_index("api_key_id", "api_key", ["id"], unique=False)
    protect("identity_provider", "identity_provider_audience", "sign_in_link")
    open_to_system({"identity_provider": "select", "identity_provider_audience": "select"})


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
