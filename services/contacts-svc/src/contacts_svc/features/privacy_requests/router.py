"""Privacy requests over HTTP."""

from crm_contracts.privacy import PrivacyRequest
from crm_kit.audit import note_access
from crm_kit.db.session import Database
from crm_kit.http.route import Caller, Reading, Writing, route_options
from crm_kit.resources import EntityPath, check_if_match, entity_response, file_response, json_response, resource_router
from fastapi import Request
from starlette.responses import Response, StreamingResponse

from contacts_svc.features.exports.usecases import file_of
from contacts_svc.features.privacy_requests import usecases
from contacts_svc.features.privacy_requests.events import PRIVACY_REQUEST_EVENTS
from contacts_svc.features.privacy_requests.resource import PRIVACY_REQUESTS
from contacts_svc.features.privacy_requests.schemas import ErasedQuery, Erasures

router = resource_router(PRIVACY_REQUESTS)


@router.get(
    "/{entity_id}/file",
    operation_id="download_privacy_archive",
    summary="Download everything that is held of a person",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def download_archive(request: Request, entity_id: EntityPath, session: Reading, caller: Caller) -> Response:
    """A ZIP of lines of JSON by service and kind; for who asked for it, and for who may see everything."""
    row = await PRIVACY_REQUESTS.get(session, entity_id)
    usecases.check_archive(row, caller, session)
    note_access(request, "exported", resource="contact", entity_id=row.contact_id, details={"privacy_request": row.id})
    database: Database = request.app.state.database
    return file_response(
        request,
        file_of(database, session.tenant_id, row),
        version=row.version,
        size=row.size or 0,
        media_type="application/octet-stream",
        filename=f"{row.id}.zip",
    )


@router.post(
    "/{entity_id}/lift",
    response_model=PrivacyRequest,
    operation_id="lift_restriction",
    summary="End a restriction",
    openapi_extra=route_options(needs="update"),
)
async def lift_restriction(request: Request, entity_id: EntityPath, session: Writing) -> Response:
    """The contact may be changed and written to again, as its consents say."""
    row = await PRIVACY_REQUESTS.lock(session, entity_id)
    check_if_match(request, row.version)
    await usecases.lift(session, row)
    return entity_response(request, PRIVACY_REQUEST_EVENTS.snapshot(row))


@router.post(
    "/erasures",
    response_model=Erasures,
    operation_id="find_erasures",
    summary="Whether whoever has an address or number was erased, and what had been consented to",
    openapi_extra=route_options(needs="read"),
)
async def find_erasures(request: Request, data: ErasedQuery, session: Writing, caller: Caller) -> Response:
    """By a salted digest: from what is kept nobody can tell who it was without knowing the address or number already."""
    return json_response(request, await usecases.erasures(session, data, caller))
