"""All tables as the models say: nobody has data of the toy service that a later migration must keep."""

from alembic import op
from crm_kit.db.migration_ops import (
    add_mark,
    add_readers,
    create_audit_log,
    create_merging_tables,
    create_privacy_tables,
    create_rights_tables,
    create_tenant_state,
    protect,
    protect_kit_tables,
)
from crm_testkit.toy_service.notes import METADATA

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind())
    protect("note")
    add_readers("note")
    add_mark("notes_mark", "note", of="title")
    protect_kit_tables()
    create_rights_tables()
    create_merging_tables()
    create_privacy_tables()
    create_audit_log()
    create_tenant_state()
