"""What a person can do by a link: see what was decided, and decide otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_contracts.contacts import Consent
from crm_contracts.custom_fields import LocalText
from crm_contracts.sensitivity import mask_text
from crm_kit.db.models import columns, utc_now
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, UnknownLink, ValidationFailed
from crm_kit.keyring import Keyring
from sqlalchemy import select

from contacts_svc.features.consent_purposes import repository as purposes
from contacts_svc.features.consent_purposes.models import ConsentPurposeRow
from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.consents.repository import deciding_entries
from contacts_svc.features.consents.schemas import ConsentWrite
from contacts_svc.features.consents.usecases import record_consent
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import TAG_RULES, survivor_of
from contacts_svc.features.preferences.rules import PreferenceLink
from contacts_svc.features.preferences.schemas import (
    Preference,
    PreferenceLinkMade,
    PreferencePage,
    PreferencesWrite,
    PreferenceWrite,
)
from contacts_svc.features.tagging.usecases import keep_tagged

SOURCE = "preference_page"


@dataclass(frozen=True, slots=True)
class _State:
    """All that can be decided, by (channel, purpose)."""

    offered: dict[tuple[str, str], ConsentPurposeRow]
    decided: dict[tuple[str, str], Consent]


def make_link(tenant_id: str, contact_id: str, days: int, now: datetime, keyring: Keyring) -> PreferenceLinkMade:
    expires_at = (now + timedelta(days=days)).replace(microsecond=0)
    token = PreferenceLink(tenant_id, contact_id, expires_at).token(keyring)
    return PreferenceLinkMade(token=token, path=f"/v1/preferences/{token}", expires_at=expires_at)


async def person(session: ReadSession, link: PreferenceLink, *, lock: bool = False) -> ContactRow:
    """The link's contact, or the one that it was merged into. Raises UnknownLink."""
    if link.expires_at <= await session.now():
        raise UnknownLink
    contact_id = await survivor_of(session, link.contact_id) or link.contact_id
    statement = select(ContactRow).where(columns(ContactRow).id == contact_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row: ContactRow | None = await session.scalar(statement)
    if row is None:
        raise UnknownLink
    return row


async def _state(session: ReadSession, contact_id: str) -> _State:
    rows = await purposes.active(session)
    decided = [CONSENT_EVENTS.snapshot(row) for row in await deciding_entries(session, contact_id)]
    return _State(
        {(channel, row.purpose): row for row in rows for channel in row.channels},
        {(entry.channel, entry.purpose): entry for entry in decided},
    )


async def show(session: ReadSession, row: ContactRow) -> PreferencePage:
    """What is offered, in its order; then what was once decided and is offered no more."""
    state = await _state(session, row.id)
    keys = [*state.offered, *sorted(state.decided.keys() - state.offered.keys())]
    return PreferencePage(
        name=mask_text(row.full_name) if row.full_name else None,
        do_not_contact=row.do_not_contact,
        preferences=[_preference(key, state) for key in keys],
    )


def _preference(key: tuple[str, str], state: _State) -> Preference:
    offer, entry = state.offered.get(key), state.decided.get(key)
    return Preference.model_validate(
        {
            "channel": key[0],
            "purpose": key[1],
            "label": LocalText.model_validate(offer.label) if offer else LocalText(en=key[1], zh=key[1]),
            "wording": offer.wording if offer else None,
            "wording_version": offer.wording_version if offer else None,
            "separate": offer.separate if offer else False,
            "status": entry.status if entry else None,
            "at": entry.at if entry else None,
        }
    )


async def decide(session: WriteSession, row: ContactRow, data: PreferencesWrite) -> None:
    """Each is an entry of the ledger of its own; what is so already is not written again. Raises ValidationFailed.

    `row` must be locked.
    """
    state = await _state(session, row.id)
    _check(data.preferences, state)
    for each in data.preferences:
        entry = state.decided.get((each.channel, each.purpose))
        if entry is None or entry.status != each.status:
            await record_consent(session, row.id, _entry(each, state))
    if data.do_not_contact is not None and data.do_not_contact != row.do_not_contact:
        before = CONTACT_EVENTS.snapshot(row)
        row.do_not_contact = data.do_not_contact
        await keep_tagged(session, TAG_RULES, row, before, now=utc_now())
        await CONTACT_EVENTS.updated(session, row, before)


def _check(asked: Sequence[PreferenceWrite], state: _State) -> None:
    """What was never decided and is not offered is nothing to decide; what is offered no more can be withdrawn."""
    faults = []
    for number, each in enumerate(asked):
        key = (each.channel, each.purpose)
        if key not in state.offered and (key not in state.decided or each.status == "granted"):
            text = Text("It is not offered", "未提供该选项")
            faults.append(FieldError(f"/preferences/{number}", "not_offered", text))
    if faults:
        raise ValidationFailed(
            Text("Some of it is not offered; see errors.", "部分选项未提供，见 errors。"), errors=faults
        )


def _entry(each: PreferenceWrite, state: _State) -> ConsentWrite:
    offer = state.offered.get((each.channel, each.purpose))
    shown = offer if offer is not None and each.status == "granted" else None
    return ConsentWrite(
        channel=each.channel,
        purpose=each.purpose,
        status=each.status,
        source=SOURCE,
        wording=shown.wording if shown else None,
        evidence={"wording_version": shown.wording_version, "consent_purpose_id": shown.id} if shown else {},
        separate=each.status == "granted",
    )
