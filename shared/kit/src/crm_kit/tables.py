"""The tables that the kit keeps in every service's database."""

from sqlalchemy import MetaData

from crm_kit.audit.tables import AUDIT_TABLES
from crm_kit.http.idempotency import IDEMPOTENCY
from crm_kit.inbox import CONSUMER_POSITION, PARKED_EVENT
from crm_kit.merging.tables import MERGING_TABLES
from crm_kit.outbox import OUTBOX
from crm_kit.privacy.tables import PRIVACY_TABLES
from crm_kit.rights.tables import RIGHTS_TABLES
from crm_kit.tenants.table import TENANT_STATE
from crm_kit.timers import TIMER

KIT_TABLES = (
    OUTBOX,
    CONSUMER_POSITION,
    PARKED_EVENT,
    IDEMPOTENCY,
    TIMER,
    *AUDIT_TABLES,
    *RIGHTS_TABLES,
    *MERGING_TABLES,
    *PRIVACY_TABLES,
    TENANT_STATE,
)

SYSTEM_TABLES = {
    "outbox": "select, update, delete",
    "timer": "select",
    "idempotency": "select, delete",
    "parked_event": "select (consumer, parked_at)",  # to count letters and tell their age, not to read them
}
"""What the system role (relay, timers, clean-up) may do, and with which tables, for every tenant; and AUDIT_SYSTEM_TABLES."""


def mount_kit_tables(metadata: MetaData) -> None:
    """Adds the kit's tables to a service's metadata, so that its migrations make them."""
    for table in KIT_TABLES:
        table.to_metadata(metadata)
