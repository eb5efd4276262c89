"""What a customer can do by a link: withdraw."""

from crm_contracts.ids import UnsubscribeId
from crm_kit.db.session import WriteSession
from crm_kit.merging import current

from campaigns_svc.features.audience import repository as audience
from campaigns_svc.features.messages import repository as messages
from campaigns_svc.features.messages.events import MESSAGE_EVENTS
from campaigns_svc.features.unsubscribes import repository
from campaigns_svc.features.unsubscribes.events import UNSUBSCRIBE_EVENTS
from campaigns_svc.features.unsubscribes.models import UnsubscribeRow
from campaigns_svc.features.unsubscribes.rules import withdrawal_time
from campaigns_svc.links import UnsubscribeLink


async def unsubscribe(session: WriteSession, link: UnsubscribeLink) -> None:
    """Withdraws at once for this service, and by the event for the ledger. A second click changes nothing.

    Works when the message itself is no longer there.
    """
    await repository.lock_message_link(session, link.message_id)
    contact_id = await current(session, link.contact_id)
    consent = await audience.deciding_consent(session, contact_id, link.channel, link.purpose)
    last = await repository.latest_of_message(session, link.message_id)
    at = withdrawal_time(await session.now(), consent.at if consent else None, last)
    if at is None:
        return
    row = UnsubscribeRow(
        id=UnsubscribeId.new(),
        message_id=link.message_id,
        contact_id=contact_id,
        channel=link.channel,
        purpose=link.purpose,
        at=at,
    )
    await UNSUBSCRIBE_EVENTS.created(session, row)
    message = await messages.lock_message(session, link.message_id)
    if message is not None:
        before = MESSAGE_EVENTS.snapshot(message)
        message.unsubscribed_at, message.last_at = at, max(at, message.last_at)
        await MESSAGE_EVENTS.updated(session, message, before)
