"""What the services tell of their parts."""

import base64
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from crm_contracts.envelope import Event
from crm_contracts.privacy import PrivacyReceipt
from crm_contracts.registry import PRIVACY_RECEIPTS
from crm_contracts.types import format_timestamp
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer
from crm_kit.jobs import wake_jobs

from contacts_svc.features.privacy_requests import repository
from contacts_svc.features.privacy_requests.events import PRIVACY_REQUEST_EVENTS
from contacts_svc.features.privacy_requests.models import PrivacyRequestRow
from contacts_svc.features.privacy_requests.rules import SERVICES, is_complete


async def follow_receipts(session: WriteSession, events: Sequence[Event]) -> None:
    """Keeps each piece once; a service has done its part when all its pieces are there, in whatever order they came."""
    told = [PrivacyReceipt.model_validate(event.entity) for event in events if event.entity is not None]
    asked = sorted({receipt.request_id for receipt in told})
    # Before the requests are locked: a job has its timer first, too.
    await wake_jobs(session, await repository.job_ids(session, asked))
    rows = await repository.lock_all(session, asked)
    requests = {id_: row for id_, row in rows.items() if row.status in ("running", "failed")}
    await repository.keep_pieces(
        session,
        [
            (receipt, base64.b64decode(receipt.content) if receipt.content is not None else None)
            for receipt in told
            if receipt.request_id in requests
        ],
    )
    pieces = await repository.pieces_of(session, list(requests))
    async with session.gathered():
        for request_id, its in groupby(pieces, key=lambda piece: piece.request_id):
            await _look(session, requests[request_id], list(its))
    await repository.forget_pieces(session, [id_ for id_, row in requests.items() if _is_over_by_receipts(row)])


async def _look(session: WriteSession, request: PrivacyRequestRow, pieces: Sequence[Any]) -> None:
    """Of all the pieces of a request, which services have done their part."""
    before = PRIVACY_REQUEST_EVENTS.snapshot(request)
    at = format_timestamp(await session.now())
    known = {receipt["service"] for receipt in request.receipts}
    receipts = list(request.receipts)
    for service, each in groupby(pieces, key=lambda piece: piece.service):
        its = list(each)
        if service not in known and is_complete({piece.number: piece.is_last for piece in its}):
            records = next(piece.records for piece in its if piece.is_last)
            receipts.append({"service": service, "records": records, "at": at})
    if request.job_id is None and len(receipts) < len(SERVICES):
        return  # nobody waits for it, and there may be thousands: it is told once, when all are there
    request.receipts = receipts
    if _is_over_by_receipts(request):
        request.status, request.finished_at = "succeeded", await session.now()
    await PRIVACY_REQUEST_EVENTS.updated(session, request, before)


def _is_over_by_receipts(request: PrivacyRequestRow) -> bool:
    """Of erasures for which no job waits, or none any more."""
    waits = request.job_id is not None and request.status == "running"
    return request.kind == "erasure" and not waits and len(request.receipts) == len(SERVICES)


RECEIPTS: Final = Consumer(
    name="contacts.privacy_receipts",
    topics=PRIVACY_RECEIPTS,
    handle=follow_receipts,
    order="pass",
    gather_seconds=0.2,
)
