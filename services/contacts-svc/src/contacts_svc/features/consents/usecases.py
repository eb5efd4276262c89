"""What can be done with the ledger: append."""

from crm_contracts.contacts import Consent
from crm_contracts.ids import ConsentId
from crm_kit import context
from crm_kit.db.session import WriteSession
from crm_kit.timers import set_timer

from contacts_svc.features.consents import repository
from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.consents.models import ConsentRow
from contacts_svc.features.consents.rules import EXPIRY
from contacts_svc.features.consents.schemas import ConsentWrite


async def record_consent(
    session: WriteSession, contact_id: str, data: ConsentWrite, *, origin_id: str | None = None
) -> Consent:
    """Appends an entry; one without a time is later than all before it, whatever the clocks say that gave them theirs.

    One that follows from `origin_id` is appended once, however often it is asked for.
    """
    number = await repository.next_number(session, contact_id)
    if origin_id is not None and (existing := await repository.by_origin(session, origin_id)) is not None:
        return CONSENT_EVENTS.snapshot(existing)
    at = data.at
    if at is None:
        newest = await repository.newest_time(session, contact_id, data.channel, data.purpose)
        now = await session.now()
        at = now if newest is None else max(now, newest)
    here = context.current()
    row = ConsentRow(
        id=ConsentId.new(),
        contact_id=contact_id,
        number=number,
        at=at,
        actor_id=here.actor_id if here else None,
        origin_id=origin_id,
        **data.model_dump(exclude={"at"}),
    )
    entry = await CONSENT_EVENTS.created(session, row, action=data.status)
    if entry.status == "granted" and entry.expires_at is not None:
        await set_timer(session, EXPIRY, entry.id, entry.expires_at)
    return entry
