"""What happens to a message: queued, checked and handed over, concluded.

    queued ─checked, allowed─► sending ─the server took it─► sent
      │  ▲                        │
      │  └──────for a time────────┤
      ▼                           ▼
    skipped, cancelled, failed    failed

`sending` is committed before the letter is handed over, and what came of it afterwards, so no transaction waits for a
mail server. A crash between the two leaves the message in `sending`; it is then handed over again: at least once, with
the same Message-ID. A message of which a delivery ended unknown (a crash, a server that never answered) may have arrived:
where it must not be sent any more it has failed, `interrupted`, and was not skipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from crm_contracts.campaigns import ConsentProof
from crm_contracts.ids import MessageId
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.keyring import Keyring
from crm_kit.timers import set_timers

from campaigns_svc.features.audience import repository as audience
from campaigns_svc.features.audience.models import ContactCopyRow
from campaigns_svc.features.campaigns import repository as campaigns
from campaigns_svc.features.campaigns.models import CampaignRow
from campaigns_svc.features.messages import repository, rules
from campaigns_svc.features.messages.events import MESSAGE_EVENTS
from campaigns_svc.features.messages.models import MessageRow
from campaigns_svc.features.templates.rules import RenderingFailed, Source, render
from campaigns_svc.features.unsubscribes import repository as unsubscribes
from campaigns_svc.links import UnsubscribeLink, unsubscribe_url
from campaigns_svc.mail import Letter, Outcome

_INTERRUPTED: Final = "interrupted"
"""The reason of a message that may have arrived, since nobody knows how a delivery ended, and must not be sent again."""

_NOT_KNOWN_YET: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Sending:
    """What sending takes besides the database."""

    configured: bool
    keyring: Keyring
    public_url: str
    attempts: int
    first_pause: timedelta


async def queue_messages(session: WriteSession, campaign: CampaignRow, contact_ids: Sequence[str]) -> None:
    """One message each, and a timer that sends it; a contact that has one already gets no second."""
    now = await session.now()
    present = await repository.contacts_with_message(session, campaign.id, contact_ids)
    rows = [
        MessageRow(
            id=MessageId.new(),
            campaign_id=campaign.id,
            campaign_name=campaign.name,
            contact_id=contact_id,
            channel=campaign.channel,
            purpose=campaign.purpose,
            queued_at=now,
            last_at=now,
        )
        for contact_id in contact_ids
        if contact_id not in present
    ]
    await MESSAGE_EVENTS.created_all(session, rows, action="queued")
    await set_timers(session, rules.SEND_MESSAGE, [(row.id, now, {}) for row in rows])


async def put_back(session: WriteSession, campaign_id: str, after: str, batch: int) -> str | None:
    """Sets the timers of the next waiting messages; the last of them, or None where there are no more."""
    ids, now = await repository.queued_after(session, campaign_id, after, batch), await session.now()
    await set_timers(session, rules.SEND_MESSAGE, [(message_id, now, {}) for message_id in ids])
    return ids[-1] if ids else None


async def cancel_queued(session: WriteSession, campaign_id: str, batch: int) -> bool:
    """Cancels some of the waiting messages; whether there were any."""
    rows = await repository.lock_queued(session, campaign_id, batch)
    for row in rows:
        await _cancel(session, row)
    return bool(rows)


async def any_unfinished(session: ReadSession, campaign_id: str) -> bool:
    return await repository.any_unfinished(session, campaign_id)


async def begin_sending(session: WriteSession, message_id: str, sending: Sending) -> Letter | datetime | None:
    """Checks the message at this moment. The letter to hand over; or when to look again; or None: nothing to do."""
    row, now = await repository.lock_message(session, message_id), await session.now()
    if row is None or row.status not in ("queued", "sending"):
        return None
    campaign = await campaigns.campaign(session, row.campaign_id)
    interrupted = row.status == "sending"
    row.uncertain = row.uncertain or interrupted
    if campaign is None or campaign.status == "cancelled":
        await _cancel(session, row)
        return None
    if campaign.status != "sending":
        if interrupted:  # resuming sets the timers of what is queued
            await _change(session, row, "queued", _INTERRUPTED)
        return None
    contact = await audience.contact(session, row.contact_id)
    verdict = await _decide(session, row, contact, now)
    if verdict == "contact_unknown" and now < row.queued_at + rules.KNOWN_WITHIN:
        return now + _NOT_KNOWN_YET
    if not isinstance(verdict, rules.Allowed):
        await _end(session, row, *(("failed", _INTERRUPTED) if row.uncertain else ("skipped", verdict)))
        return None
    assert contact is not None, "only a known contact is allowed"
    if not sending.configured:
        await _end(session, row, "failed", "smtp_not_configured")
        return None
    try:
        letter = await _letter(session, row, campaign, contact, verdict.address, sending)
    except RenderingFailed:
        await _end(session, row, "failed", "template_error")
        return None
    before = MESSAGE_EVENTS.snapshot(row)
    row.status, row.reason, row.address, row.subject = "sending", None, letter.recipient, letter.subject
    row.consent = _proof(verdict.consent, now)
    await MESSAGE_EVENTS.updated(session, row, before)
    return letter


async def conclude_sending(
    session: WriteSession, message_id: str, outcome: Outcome, sending: Sending
) -> datetime | None:
    """Records what came of handing the letter over; when to try again, or None."""
    row, now = await repository.lock_message(session, message_id), await session.now()
    if row is None or row.status == "sent":
        return None
    if outcome.reason is None:
        before = MESSAGE_EVENTS.snapshot(row)
        row.status, row.reason, row.sent_at, row.last_at = "sent", None, now, max(now, row.last_at)
        await MESSAGE_EVENTS.updated(session, row, before, action="sent")
        return None
    if row.status != "sending":
        return None
    row.attempts += 1
    row.uncertain = row.uncertain or outcome.uncertain
    if outcome.permanent or row.attempts >= sending.attempts:
        await _end(session, row, "failed", outcome.reason)
        return None
    await _change(session, row, "queued", outcome.reason)
    return now + rules.pause_before_retry(row.attempts, sending.first_pause)


async def _decide(
    session: ReadSession, row: MessageRow, contact: ContactCopyRow | None, now: datetime
) -> rules.Allowed | rules.Refusal:
    person = None
    if contact is not None:
        person = rules.Person(
            deleted=contact.deleted,
            archived=contact.archived,
            address=contact.email,
            do_not_contact=contact.do_not_contact,
            restricted=contact.restricted,
        )
    entry = await audience.deciding_consent(session, row.contact_id, row.channel, row.purpose)
    unsubscribed_at = await unsubscribes.latest(session, row.contact_id, row.channel, row.purpose)
    consent = None
    if entry is not None:
        assert entry.status is not None, "only a deleted entry has none"
        assert entry.at is not None, "as above"
        consent = rules.ConsentEntry(entry.id, entry.status, entry.at, entry.expires_at)
    return rules.decide(person, consent, unsubscribed_at, now)


def _proof(entry: rules.ConsentEntry, now: datetime) -> dict[str, object]:
    proof = ConsentProof.model_validate(
        {"consent_id": entry.id, "status": entry.status, "at": entry.at, "checked_at": now}
    )
    return proof.model_dump(mode="json")


async def _letter(
    session: ReadSession,
    row: MessageRow,
    campaign: CampaignRow,
    contact: ContactCopyRow,
    address: str,
    sending: Sending,
) -> Letter:
    """Raises RenderingFailed."""
    account = await audience.account(session, contact.account_id) if contact.account_id else None
    link = UnsubscribeLink(session.tenant_id, row.id, row.contact_id, row.channel, row.purpose)
    url = unsubscribe_url(sending.public_url, link.token(sending.keyring))
    values = {
        "contact": contact.profile,
        "account": account.profile if account else {},
        "campaign": {"id": campaign.id, "name": campaign.name},
        "unsubscribe_url": url,
    }
    rendered = render(Source(campaign.subject, campaign.body_text or "", campaign.body_html), values)
    text, html = rules.with_unsubscribe_link(rendered.text, rendered.html, url)
    return Letter(row.id, address, rendered.subject or campaign.name, text, html, url)


async def _end(session: WriteSession, row: MessageRow, status: str, reason: str | None) -> None:
    """An end without delivery."""
    await _change(session, row, status, reason, action=status)


async def _cancel(session: WriteSession, row: MessageRow) -> None:
    await _end(session, row, "cancelled", _INTERRUPTED if row.uncertain else row.reason)


async def _change(
    session: WriteSession, row: MessageRow, status: str, reason: str | None, *, action: str = "updated"
) -> None:
    before = MESSAGE_EVENTS.snapshot(row)
    row.status, row.reason = status, reason
    await MESSAGE_EVENTS.updated(session, row, before, action=action)
