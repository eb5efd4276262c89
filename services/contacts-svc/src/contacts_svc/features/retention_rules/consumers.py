"""What is done with a contact in other services is activity; what is logged here is asked for itself."""

from collections.abc import Sequence
from datetime import datetime

from crm_contracts.envelope import Event
from crm_contracts.registry import DEAL, INVOICE, ORDER, PAYMENT, TICKET
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer

from contacts_svc.features.retaining.repository import note_activity


async def follow_activity(session: WriteSession, events: Sequence[Event]) -> None:
    active_at: dict[str, datetime] = {}
    for event in events:
        if event.entity is None or event.deleted or (contact_id := event.entity.get("contact_id")) is None:
            continue
        active_at[contact_id] = max(event.time, active_at.get(contact_id, event.time))
    if active_at:
        await note_activity(session, active_at)


LAST_ACTIVITY = Consumer(
    name="contacts.last_activity",
    topics=(DEAL, ORDER, INVOICE, PAYMENT, TICKET),
    handle=follow_activity,
    order="pass",
    gather_seconds=0.2,
)
