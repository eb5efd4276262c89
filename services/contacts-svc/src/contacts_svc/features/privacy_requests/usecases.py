"""What can be done with privacy requests."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from crm_contracts.ids import PrivacyRequestId
from crm_contracts.privacy import PrivacyRequest, PrivacyRequestKind
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import Erased, FieldError, Forbidden, Merged, NotFound, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.jobs import start_job
from crm_kit.privacy import begin_erasures, note_forgotten
from crm_kit.resources import access
from crm_kit.rights import Action

from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.consents.repository import deciding_entries_of
from contacts_svc.features.contacts import repository as contacts
from contacts_svc.features.contacts import rules as contact_rules
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import TAG_RULES
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.contacts.schemas import PhoneWrite
from contacts_svc.features.contacts.usecases import normalised_phones
from contacts_svc.features.exports.repository import forget_file
from contacts_svc.features.holding.usecases import refuse_erasing
from contacts_svc.features.privacy_requests import repository, rules
from contacts_svc.features.privacy_requests.errors import NoArchive, NotRestricted, RequestRunning
from contacts_svc.features.privacy_requests.events import PRIVACY_REQUEST_EVENTS
from contacts_svc.features.privacy_requests.models import PrivacyRequestRow
from contacts_svc.features.privacy_requests.schemas import (
    ErasedQuery,
    Erasure,
    Erasures,
    KeptConsent,
    PrivacyRequestWrite,
)
from contacts_svc.features.tagging.usecases import keep_tagged

PRIVACY_JOB: Final = "privacy_request"
FORGET_ARCHIVE: Final = "forget_archive"

_ACTIONS: Final[dict[PrivacyRequestKind, Action]] = {"export": "read", "erasure": "delete", "restriction": "update"}


async def open_request(session: WriteSession, data: PrivacyRequestWrite, caller: Principal) -> PrivacyRequest:
    """An erased contact is gone when this is answered; what the services hold of it goes by the job.

    Raises ValidationFailed, Forbidden, RequestRunning, OnLegalHold.
    """
    row = await lock_subject(session, data.contact_id, _ACTIONS[data.kind])
    if (same := await repository.running(session, data.kind, row.id)) is not None:
        raise RequestRunning(members={"request_id": same})
    if data.kind == "restriction":
        return await _restrict(session, data, row, caller)
    if data.kind == "erasure":
        await refuse_erasing(session, row.id, caller)
    request_id = PrivacyRequestId.new()
    request = PrivacyRequestRow(
        id=request_id,
        kind=data.kind,
        contact_id=row.id,
        subject_ids=[row.id, *(await contacts.merged_ids(session, [row.id]))[row.id]],
        reason=data.reason,
        requested_by=caller.subject,
        job_id=await start_job(session, PRIVACY_JOB, request_id, caller),
    )
    if data.kind == "erasure":
        await _erase_contacts(session, [(request, row)], await digests(session, [row]))
    return await PRIVACY_REQUEST_EVENTS.created(session, request)


async def erase_by_rule(
    session: WriteSession, rows: Sequence[ContactRow], rule_id: str, reason: str, known: Mapping[str, bytes]
) -> None:
    """A request for each of these contacts, which nobody waits for: it ends when all services have given their receipts.

    `known`: digests of what they are reached by (`digests`), since these take long to make. The rows must be locked.
    """
    merged = await contacts.merged_ids(session, [row.id for row in rows])
    requests = [
        PrivacyRequestRow(
            id=PrivacyRequestId.new(),
            kind="erasure",
            contact_id=row.id,
            subject_ids=[row.id, *merged[row.id]],
            reason=reason,
            requested_by=rule_id,
        )
        for row in rows
    ]
    await _erase_contacts(session, list(zip(requests, rows, strict=True)), known)
    await PRIVACY_REQUEST_EVENTS.created_all(session, requests)


async def _restrict(
    session: WriteSession, data: PrivacyRequestWrite, row: ContactRow, caller: Principal
) -> PrivacyRequest:
    """From now on until it is lifted. Raises RequestRunning where it is restricted already."""
    if row.restricted:
        raise RequestRunning
    await _set_restricted(session, row, True)
    request = PrivacyRequestRow(
        id=PrivacyRequestId.new(),
        kind=data.kind,
        contact_id=row.id,
        subject_ids=[row.id],
        status="succeeded",
        reason=data.reason,
        requested_by=caller.subject,
        finished_at=await session.now(),
    )
    return await PRIVACY_REQUEST_EVENTS.created(session, request)


async def lift(session: WriteSession, request: PrivacyRequestRow) -> None:
    """Ends a restriction. Raises NotRestricted."""
    if request.kind != "restriction" or request.status != "succeeded":
        raise NotRestricted
    before = PRIVACY_REQUEST_EVENTS.snapshot(request)
    row = (await CONTACTS.lock_all(session, [request.contact_id])).get(request.contact_id)
    if row is not None:
        await _set_restricted(session, row, False)
    request.status = "lifted"
    await PRIVACY_REQUEST_EVENTS.updated(session, request, before)


async def _set_restricted(session: WriteSession, row: ContactRow, restricted: bool) -> None:
    before = CONTACT_EVENTS.snapshot(row)
    row.restricted = restricted
    await keep_tagged(session, TAG_RULES, row, None, now=utc_now())
    await CONTACT_EVENTS.updated(session, row, before)


async def lock_subject(session: WriteSession, contact_id: str, action: Action) -> ContactRow:
    """The contact that a request is about. Who asks must see all of it: an archive holds everything, and who erases answers for
    what is lost. Raises ValidationFailed, Forbidden.
    """
    try:
        row = await CONTACTS.lock(session, contact_id, action)
    except (Erased, Merged, NotFound) as error:
        survivor = error.members.get("merged_into")
        text = (
            Text(f"It was merged into {survivor}: name that one", f"已合并到 {survivor}，请指定该联系人")
            if survivor
            else Text("There is no such contact", "不存在该联系人")
        )
        raise ValidationFailed(text, errors=[FieldError("/contact_id", "not_found", text)]) from error
    sights = session.sights
    if sights is not None and not ((rights := sights.of(row.id)) and rights.is_clear):
        raise access.forbidden("contacts:read")
    return row


async def _erase_contacts(
    session: WriteSession, asked: Sequence[tuple[PrivacyRequestRow, ContactRow]], known: Mapping[str, bytes]
) -> None:
    """The contacts and those merged into them; what is left is the evidence of what had been consented to."""
    rows = [row for _, row in asked]
    keys = {row.id: contacts.Keys.of(row) for row in rows}
    ledgers = await deciding_entries_of(session, keys)
    for request, row in asked:
        ledger = [CONSENT_EVENTS.snapshot(entry) for entry in ledgers.get(row.id, ())]
        request.evidence = rules.kept_consents([entry.model_dump(mode="json") for entry in ledger])
    evidence = {request.id: [known[value] for value in _reached_by(row)] for request, row in asked}
    await repository.keep_evidence(session, evidence)
    await CONTACT_EVENTS.erased_all(session, rows)
    for contact_id, held in keys.items():
        contacts.note_keys(session, contact_id, held, contacts.Keys())
    subjects = {request.id: request.subject_ids for request, _ in asked}
    merged = await contacts.forget_merged(session, [each for its in subjects.values() for each in its])
    # The deletion of each was one version more.
    await CONTACT_EVENTS.forgotten_all(session, {contact_id: version + 2 for contact_id, version in merged.items()})
    for request_id, subject_ids in subjects.items():
        await note_forgotten(session, request_id, CONTACT_EVENTS.topic.name, subject_ids)
    await begin_erasures(session, subjects)


def _reached_by(row: ContactRow) -> list[str]:
    return [*row.email_keys, *row.phone_numbers]


async def digests(
    session: WriteSession, rows: Sequence[ContactRow], known: Mapping[str, bytes] | None = None
) -> Mapping[str, bytes]:
    """By what these contacts are reached by, what evidence of it is kept; without those that are `known`.

    One after another, some 40 ms each, so that the rest of the machine is for others.
    """
    salt = await repository.salt(session)
    made = dict(known or {})
    for value in {value for row in rows for value in _reached_by(row)} - made.keys():
        made[value] = await asyncio.to_thread(rules.digest, salt, value)
    return made


async def erasures(session: WriteSession, data: ErasedQuery, caller: Principal) -> Erasures:
    """Whether whoever has this address or number was erased, and what had been decided."""
    if data.email is not None:
        value = contact_rules.email_key(data.email)
    else:
        value = normalised_phones([PhoneWrite(number=data.phone or "")], caller.region)[0]["number"]
    digest = await asyncio.to_thread(rules.digest, await repository.salt(session), value)
    return Erasures(
        data=[
            Erasure(
                request_id=PrivacyRequestId(row.id),
                at=row.created_at,
                consents=[KeptConsent.model_validate(entry) for entry in row.evidence],
            )
            for row in await repository.erasures_of(session, digest)
        ]
    )


def check_archive(row: PrivacyRequestRow, caller: Principal, session: ReadSession) -> None:
    """Raises NoArchive, and Forbidden for who did not ask for it and may not see everything."""
    if row.size is None:
        raise NoArchive
    if session.sights is not None and row.requested_by != caller.subject:
        raise Forbidden(
            Text("The archive is for who asked for it.", "该归档仅供申请人下载。"),
            members={"missing_permission": "privacy-requests:read"},
        )


async def forget_archives(session: WriteSession, contact_ids: Sequence[str]) -> list[str]:
    """What exports of these contacts hold, since these are erased; of whom something went, once for each."""
    forgotten = []
    async for row in repository.archives_about(session, contact_ids):
        await repository.forget_pieces(session, [row.id])
        if await forget_archive(session, row):
            forgotten.append(row.contact_id)
    return forgotten


async def forget_archive(session: WriteSession, row: PrivacyRequestRow) -> bool:
    """That it was asked for, and what it held how many of, stays. False where there was none."""
    if row.size is None:
        return False
    before = PRIVACY_REQUEST_EVENTS.snapshot(row)
    await forget_file(session, row)
    row.status = "expired"
    await PRIVACY_REQUEST_EVENTS.updated(session, row, before)
    return True
