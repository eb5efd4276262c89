"""What is done with a contact, in whatever service, keeps it with who has it."""

from collections.abc import Sequence
from datetime import datetime

from crm_contracts.envelope import Event
from crm_contracts.registry import ACTIVITY, DEAL, ORDER, PAYMENT, TICKET
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer

from contacts_svc.features.claims.usecases import put_off_returns


async def note_activity(session: WriteSession, events: Sequence[Event]) -> None:
    active_at: dict[str, datetime] = {}
    for event in events:
        if event.entity is None or event.deleted or (contact_id := event.entity.get("contact_id")) is None:
            continue
        at = event.time
        if event.entity_type == ACTIVITY.entity:  # not of the future: what is planned is not done
            at = min(at, datetime.fromisoformat(event.entity["at"]))
        active_at[contact_id] = max(at, active_at.get(contact_id, at))
    if active_at:
        await put_off_returns(session, active_at)


ACTIVITY_OF_HELD = Consumer(
    name="contacts.pool_activity",
    topics=(ACTIVITY, DEAL, ORDER, PAYMENT, TICKET),
    handle=note_activity,
    order="pass",
    gather_seconds=0.2,
)
