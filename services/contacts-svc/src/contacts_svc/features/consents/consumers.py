"""A customer's own withdrawal, made through the link in a message, enters the ledger."""

from collections.abc import Sequence

from crm_contracts.campaigns import Unsubscribe
from crm_contracts.envelope import Event
from crm_contracts.registry import UNSUBSCRIBE
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer

from contacts_svc.features.consents.schemas import ConsentWrite
from contacts_svc.features.consents.usecases import record_consent
from contacts_svc.features.contacts.repository import contact_exists, survivor_of


async def withdraw_for_unsubscribes(session: WriteSession, events: Sequence[Event]) -> None:
    for event in events:
        if event.entity is None or event.deleted:
            continue
        unsubscribe = Unsubscribe.model_validate(event.entity)
        contact_id = await survivor_of(session, unsubscribe.contact_id) or unsubscribe.contact_id
        if not await contact_exists(session, contact_id):
            continue  # deleted since: there is nobody left to write to
        withdrawal = ConsentWrite.model_validate(
            {
                "channel": unsubscribe.channel,
                "purpose": unsubscribe.purpose,
                "status": "withdrawn",
                "source": "unsubscribe_link",
                "at": unsubscribe.at,
                "evidence": {"message_id": unsubscribe.message_id},
            }
        )
        await record_consent(session, contact_id, withdrawal, origin_id=unsubscribe.id)


UNSUBSCRIBES = Consumer(name="contacts.unsubscribes", topics=(UNSUBSCRIBE,), handle=withdraw_for_unsubscribes)
