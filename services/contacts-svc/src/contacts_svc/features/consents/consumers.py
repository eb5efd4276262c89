"""A customer's own withdrawal, made through the link in a message, enters the ledger."""

from collections.abc import Sequence

from crm_contracts.campaigns import Unsubscribe
from crm_contracts.envelope import Event
from crm_contracts.registry import UNSUBSCRIBE
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer

from contacts_svc.features.consents import repository
from contacts_svc.features.consents.schemas import ConsentWrite
from contacts_svc.features.consents.usecases import record_consent


async def withdraw_for_unsubscribes(session: WriteSession, events: Sequence[Event]) -> None:
    for event in events:
        if event.entity is None or event.deleted:
            continue
        unsubscribe = Unsubscribe.model_validate(event.entity)
        if not await repository.contact_exists(session, unsubscribe.contact_id):
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
        await record_consent(session, unsubscribe.contact_id, withdrawal, origin_id=unsubscribe.id)


UNSUBSCRIBES = Consumer(name="contacts.unsubscribes", topics=(UNSUBSCRIBE,), handle=withdraw_for_unsubscribes)
