"""A consent that was given for a time is withdrawn when the time is over."""

from collections.abc import Mapping
from datetime import datetime

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from contacts_svc.features.consents import repository
from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.consents.rules import EXPIRY, present_state
from contacts_svc.features.consents.schemas import ConsentWrite
from contacts_svc.features.consents.usecases import record_consent


async def expire_consent(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    row = await repository.by_id(session, key)
    if row is None or row.expires_at is None:
        return None
    entries = await repository.deciding_entries(session, row.contact_id)
    deciding = present_state([CONSENT_EVENTS.snapshot(entry) for entry in entries])
    if key in {entry.id for entry in deciding}:
        withdrawal = ConsentWrite.model_validate(
            {
                "channel": row.channel,
                "purpose": row.purpose,
                "status": "withdrawn",
                "source": "expiry",
                "at": row.expires_at,
                "evidence": {"consent_id": row.id},
            }
        )
        await record_consent(session, row.contact_id, withdrawal, origin_id=row.id)
    return None


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {EXPIRY: expire_consent}
