"""What can be done with the ledger: append."""

from collections.abc import Sequence
from datetime import datetime

from crm_contracts.contacts import Consent
from crm_contracts.ids import ConsentId
from crm_kit import context
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.timers import set_timer

from contacts_svc.features.consent_purposes import repository as purposes
from contacts_svc.features.consents import repository
from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.consents.models import ConsentRow
from contacts_svc.features.consents.rules import EXPIRY, stricter
from contacts_svc.features.consents.schemas import ConsentWrite


async def record_consent(
    session: WriteSession, contact_id: str, data: ConsentWrite, *, origin_id: str | None = None
) -> Consent:
    """Appends an entry; one without a time is later than all before it, whatever the clocks say that gave them theirs.

    One that follows from `origin_id` is appended once, however often it is asked for.
    """
    if data.status == "granted" and not data.separate:
        await _refuse_bundled(session, data.purpose)
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


async def _refuse_bundled(session: WriteSession, purpose: str) -> None:
    """Raises ValidationFailed where the purpose takes a consent of its own."""
    declared = await purposes.named(session, purpose)
    if declared is not None and declared.separate:
        text = Text(
            "This purpose takes a consent of its own: ask for nothing else in the same act, and say so by `separate`",
            "该用途需要单独同意：请单独征得同意，并将 separate 设为 true",
        )
        raise ValidationFailed(text, errors=[FieldError("/separate", "separate_consent", text)])


async def join_ledgers(
    session: WriteSession, merge_id: str, survivor_id: str, from_ids: Sequence[str]
) -> list[Consent]:
    """What a merge means for consents: the stricter wins. Answers what enters the survivor's ledger.

    The ledgers of the others stay as they are, for the day on which they are given back.
    """
    entries = [entry for each in (survivor_id, *from_ids) for entry in await repository.deciding_entries(session, each)]
    present = [CONSENT_EVENTS.snapshot(entry) for entry in entries]
    appended = []
    for decides in stricter(survivor_id, present):
        data = _once_more(decides, "merge", {"merge_id": merge_id, "consent_id": decides.id})
        appended.append(await record_consent(session, survivor_id, data, origin_id=f"{merge_id}:{decides.id}"))
    return appended


async def part_ledgers(
    session: WriteSession, merge_id: str, survivor_id: str, from_ids: Sequence[str], since: datetime
) -> None:
    """Takes what a merge appended out of the survivor's ledger; what was withdrawn there since is withdrawn for all: nobody who
    said no is written to again because of an undoing.
    """
    appended = await repository.of_origin(session, f"{merge_id}:")
    ours = {row.id for row in appended}
    for row in await repository.withdrawn_since(session, survivor_id, since):
        if row.id in ours:
            continue
        entry = CONSENT_EVENTS.snapshot(row)
        for contact_id in from_ids:
            data = _once_more(entry, "merge_undone", {"merge_id": merge_id, "consent_id": entry.id})
            await record_consent(session, contact_id, data, origin_id=f"{merge_id}:{entry.id}:{contact_id}")
    for row in appended:
        await CONSENT_EVENTS.deleted(session, row)


def _once_more(entry: Consent, source: str, evidence: dict[str, str]) -> ConsentWrite:
    """The same, for another ledger. It is not checked: it was, when the entry was made, and its time may be over by now."""
    kept = entry.model_dump(
        include={"channel", "purpose", "status", "legal_basis", "wording", "expires_at", "separate"}
    )
    return ConsentWrite.model_construct(**kept, source=source, evidence={**entry.evidence, **evidence}, at=None)
