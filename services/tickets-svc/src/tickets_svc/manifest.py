"""START HERE: everything that tickets-svc can do."""

from pathlib import Path

from crm_contracts.registry import TICKET, TICKET_MESSAGE
from crm_kit.manifest import Manifest

from tickets_svc.base import METADATA
from tickets_svc.features import customers, tickets

MANIFEST = Manifest(
    name="tickets",
    package="tickets_svc",
    title="Relata tickets",
    summary="Tickets and their messages",
    metadata=METADATA,
    migrations=Path(__file__).parents[2] / "migrations",
    features=(tickets.FEATURE, customers.FEATURE),
    publishes=(TICKET, TICKET_MESSAGE),
)
