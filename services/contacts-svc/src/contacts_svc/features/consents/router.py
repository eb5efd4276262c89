"""The ledger over HTTP: append, read, and the present state."""

from crm_contracts.contacts import Consent
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.http.route import Reading, TransactionRoute, Writing, route_options
from crm_kit.resources import EntityPath, Page, admit, entity_response, json_response, list_page, next_link
from fastapi import APIRouter, Request
from starlette.responses import Response

from contacts_svc.features.consents import repository
from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.consents.models import ConsentRow
from contacts_svc.features.consents.resource import CONSENTS
from contacts_svc.features.consents.schemas import ConsentState, ConsentWrite
from contacts_svc.features.consents.usecases import record_consent
from contacts_svc.features.contacts.resource import CONTACTS

router = APIRouter(prefix="/v1/contacts/{contact_id}/consents", tags=["consents"], route_class=TransactionRoute)


async def _require_contact(session: ReadSession, contact_id: str) -> None:
    await CONTACTS.get(session, contact_id)


@router.post(
    "",
    status_code=201,
    response_model=Consent,
    operation_id="record_consent",
    summary="Record a consent or its withdrawal",
    openapi_extra=route_options(needs="create"),
)
async def record(request: Request, contact_id: EntityPath, data: ConsentWrite, session: Writing) -> Response:
    await _require_contact(session, contact_id)
    entry = await record_consent(session, contact_id, data)
    await admit(session, CONSENTS, entry.id, data)
    return entity_response(request, entry, status=201, location=f"/v1/contacts/{contact_id}/consents/{entry.id}")


@router.get("", response_model=Page[Consent], operation_id="list_consents", summary="The ledger, newest first")
async def ledger(request: Request, contact_id: EntityPath, session: Reading) -> Response:
    await _require_contact(session, contact_id)
    page = await list_page(session, CONSENTS, request, within=columns(ConsentRow).contact_id == contact_id)
    return json_response(request, page, headers=next_link(request, page.next_cursor))


@router.get("/state", response_model=ConsentState, operation_id="get_consent_state", summary="The present state")
async def state(request: Request, contact_id: EntityPath, session: Reading) -> Response:
    await _require_contact(session, contact_id)
    rows = await CONSENTS.seen(session, await repository.deciding_entries(session, contact_id))
    return json_response(request, ConsentState(data=[CONSENT_EVENTS.snapshot(row) for row in rows]))


@router.get("/{entity_id}", response_model=Consent, operation_id="get_consent", summary="One entry")
async def entry(request: Request, contact_id: EntityPath, entity_id: EntityPath, session: Reading) -> Response:
    row = await CONSENTS.get(session, entity_id)
    if row.contact_id != contact_id:
        raise CONSENTS.not_found(entity_id)
    return entity_response(request, CONSENT_EVENTS.snapshot(row))
