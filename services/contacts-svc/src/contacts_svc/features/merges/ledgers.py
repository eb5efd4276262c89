"""What a merge means for consents: the stricter wins, and whoever withdrew since is not written to after an undoing either."""

from collections.abc import Sequence

from crm_contracts.contacts import Consent
from crm_kit.db.session import WriteSession

from contacts_svc.features.consents import repository
from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.consents.rules import stricter
from contacts_svc.features.consents.schemas import ConsentWrite
from contacts_svc.features.consents.usecases import record_consent
from contacts_svc.features.merges.models import MergeRow


async def join(session: WriteSession, merge_id: str, survivor_id: str, from_ids: Sequence[str]) -> list[Consent]:
    """What enters the survivor's ledger. The ledgers of the others stay as they are, for the day on which they are given back."""
    entries = [entry for each in (survivor_id, *from_ids) for entry in await repository.deciding_entries(session, each)]
    present = [CONSENT_EVENTS.snapshot(entry) for entry in entries]
    appended = []
    for decides in stricter(survivor_id, present):
        data = _written(decides, "merge", {"merge_id": merge_id, "consent_id": decides.id})
        origin = f"{merge_id}:{decides.id}"
        appended.append(await record_consent(session, survivor_id, data, origin_id=origin))
    return appended


async def part(session: WriteSession, merge: MergeRow) -> None:
    """Takes what the merge appended out of the survivor's ledger; what was withdrawn there since is withdrawn for all."""
    appended = await repository.of_origin(session, f"{merge.id}:")
    withdrawn = await repository.withdrawn_since(session, merge.into_id, merge.created_at)
    for row in withdrawn:
        if row.origin_id is not None and row.origin_id.startswith(f"{merge.id}:"):
            continue
        entry = CONSENT_EVENTS.snapshot(row)
        for contact_id in merge.from_ids:
            data = _written(entry, "merge_undone", {"merge_id": merge.id, "consent_id": entry.id})
            await record_consent(session, contact_id, data, origin_id=f"{merge.id}:{entry.id}:{contact_id}")
    for row in appended:
        await CONSENT_EVENTS.deleted(session, row)


def _written(entry: Consent, source: str, evidence: dict[str, str]) -> ConsentWrite:
    """The same, once more. A time that is over need not be checked: it was, when the entry was made."""
    return ConsentWrite.model_construct(
        channel=entry.channel,  # type: ignore[arg-type]  # as it was taken in
        purpose=entry.purpose,
        status=entry.status,
        legal_basis=entry.legal_basis,  # type: ignore[arg-type]
        source=source,
        wording=entry.wording,
        evidence={**entry.evidence, **evidence},
        at=None,
        expires_at=entry.expires_at,
    )
