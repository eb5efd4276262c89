"""What the services tell of their parts."""

import base64
from collections.abc import Sequence
from typing import Final

from crm_contracts.envelope import Event
from crm_contracts.privacy import PrivacyReceipt
from crm_contracts.registry import PRIVACY_RECEIPTS
from crm_contracts.types import format_timestamp
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer

from contacts_svc.features.privacy_requests import repository
from contacts_svc.features.privacy_requests.events import PRIVACY_REQUEST_EVENTS
from contacts_svc.features.privacy_requests.models import PrivacyRequestRow
from contacts_svc.features.privacy_requests.rules import SERVICES, is_complete


async def follow_receipts(session: WriteSession, events: Sequence[Event]) -> None:
    """Keeps each piece once; a service has done its part when all its pieces are there, in whatever order they came."""
    told = [PrivacyReceipt.model_validate(event.entity) for event in events if event.entity is not None]
    requests = await repository.lock_all(session, sorted({receipt.request_id for receipt in told}))
    touched: dict[tuple[str, str], None] = {}
    for receipt in told:
        request = requests.get(receipt.request_id)
        if request is None or request.status not in ("running", "failed"):
            continue
        content = base64.b64decode(receipt.content) if receipt.content is not None else None
        await repository.keep_piece(session, receipt, content)
        touched[receipt.request_id, receipt.service] = None
    for request_id, service in touched:
        await _look(session, requests[request_id], service)


async def _look(session: WriteSession, request: PrivacyRequestRow, service: str) -> None:
    if any(receipt["service"] == service for receipt in request.receipts):
        return
    pieces = await repository.pieces_of(session, request.id, service)
    if not is_complete({piece.number: piece.is_last for piece in pieces}):
        return
    before = PRIVACY_REQUEST_EVENTS.snapshot(request)
    records = next(piece.records for piece in pieces if piece.is_last)
    receipt = {"service": service, "records": records, "at": format_timestamp(await session.now())}
    request.receipts = [*request.receipts, receipt]
    if request.status == "failed" and request.kind == "erasure" and len(request.receipts) == len(SERVICES):
        request.status, request.finished_at = "succeeded", await session.now()
    await PRIVACY_REQUEST_EVENTS.updated(session, request, before)


RECEIPTS: Final = Consumer(
    name="contacts.privacy_receipts", topics=PRIVACY_RECEIPTS, handle=follow_receipts, order="pass"
)
