"""Sends messages."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import Conclusion, Outside, TimerHandler
from pydantic import JsonValue

from campaigns_svc.features.messages.rules import SEND_MESSAGE
from campaigns_svc.features.messages.usecases import Sending, begin_sending, conclude_sending
from campaigns_svc.mail import Letter, Mailer
from campaigns_svc.settings import CampaignsSettings


def timers(settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    assert isinstance(settings, CampaignsSettings)
    mailer = Mailer(settings)
    lease = timedelta(seconds=settings.send_lease_seconds)
    sending = Sending(
        configured=mailer.configured,
        keyring=settings.keyring,
        public_url=settings.public_url,
        attempts=settings.smtp_attempts,
        first_pause=timedelta(seconds=settings.smtp_retry_seconds),
    )

    async def send(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | Outside | None:
        due = await begin_sending(session, key, sending)
        return Outside(lambda: _hand_over(due), lease) if isinstance(due, Letter) else due

    async def _hand_over(letter: Letter) -> Conclusion:
        outcome = await mailer.deliver(letter)

        async def conclude(session: WriteSession) -> datetime | None:
            return await conclude_sending(session, letter.key, outcome, sending)

        return conclude

    return {SEND_MESSAGE: send}
