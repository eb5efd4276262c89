"""START HERE: everything that tickets-svc can do."""

from pathlib import Path

from crm_kit.manifest import Manifest

from tickets_svc.base import METADATA
from tickets_svc.features import customers, privacy, tickets
from tickets_svc.features.tickets.events import MESSAGE_EVENTS, TICKET_EVENTS

MANIFEST = Manifest(
    name="tickets",
    package="tickets_svc",
    title="Relata tickets",
    summary="Tickets and their messages",
    metadata=METADATA,
    migrations=Path(__file__).parents[2] / "migrations",
    features=(tickets.FEATURE, customers.FEATURE, privacy.FEATURE),
    publishes=(TICKET_EVENTS, MESSAGE_EVENTS),
)
