"""What can be done with privacy requests."""

import asyncio
from collections.abc import Sequence
from typing import Final

from crm_contracts.ids import PrivacyRequestId
from crm_contracts.privacy import PrivacyRequest, PrivacyRequestKind
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Forbidden, Merged, NotFound, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.jobs import start_job
from crm_kit.privacy import note_forgotten
from crm_kit.resources import access
from crm_kit.rights import Action

from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.consents.repository import deciding_entries
from contacts_svc.features.contacts import repository as contacts
from contacts_svc.features.contacts import rules as contact_rules
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import TAG_RULES
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.contacts.schemas import PhoneWrite
from contacts_svc.features.contacts.usecases import normalised_phones
from contacts_svc.features.exports.repository import forget_file
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
    """An erased contact is gone when this is answered; what the services hold of it goes by the job."""
    row = await _lock_subject(session, data)
    if (same := await repository.running(session, data.kind, row.id)) is not None:
        raise RequestRunning(members={"request_id": same})
    if data.kind == "restriction":
        return await _restrict(session, data, row, caller)
    request_id = PrivacyRequestId.new()
    request = PrivacyRequestRow(
        id=request_id,
        kind=data.kind,
        contact_id=row.id,
        subject_ids=[row.id, *await contacts.merged_ids(session, row.id)],
        reason=data.reason,
        requested_by=caller.subject,
        job_id=await start_job(session, PRIVACY_JOB, request_id, caller),
    )
    if data.kind == "erasure":
        await _erase_contact(session, request, row)
    return await PRIVACY_REQUEST_EVENTS.created(session, request)


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


async def _lock_subject(session: WriteSession, data: PrivacyRequestWrite) -> ContactRow:
    """Who asks must see all of the contact: an archive holds everything, and who erases answers for what is lost."""
    try:
        row = await CONTACTS.lock(session, data.contact_id, _ACTIONS[data.kind])
    except (Merged, NotFound) as error:
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


async def _erase_contact(session: WriteSession, request: PrivacyRequestRow, row: ContactRow) -> None:
    """The contact and those merged into it; what is left is the evidence of what had been consented to."""
    ledger = [CONSENT_EVENTS.snapshot(entry) for entry in await deciding_entries(session, row.id)]
    request.evidence = rules.kept_consents([entry.model_dump(mode="json") for entry in ledger])
    salt = await repository.salt(session)
    values = [*row.email_keys, *row.phone_numbers]
    digests = [await asyncio.to_thread(rules.digest, salt, value) for value in values]
    await repository.keep_evidence(session, request.id, digests)
    keys = contacts.Keys.of(row)
    await CONTACT_EVENTS.erased(session, row)
    contacts.note_keys(session, row.id, keys, contacts.Keys())
    merged = await contacts.forget_merged(session, request.subject_ids)
    for contact_id, version in merged.items():
        await CONTACT_EVENTS.forgotten(session, contact_id, version + 2)  # its deletion was one more
    await note_forgotten(session, request.id, CONTACT_EVENTS.topic.name, request.subject_ids)


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


async def forget_archives(session: WriteSession, contact_ids: Sequence[str]) -> int:
    """What exports of these contacts hold, since these are erased; how many had something."""
    forgotten = 0
    async for row in repository.archives_about(session, contact_ids):
        await repository.forget_pieces(session, row.id)
        forgotten += await forget_archive(session, row)
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
