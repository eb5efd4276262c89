"""Claiming and giving back over HTTP."""

from crm_contracts.contacts import Contact
from crm_kit.http.route import Caller, TransactionRoute, Writing, route_options
from crm_kit.resources import EntityPath, check_if_match, entity_response
from fastapi import APIRouter, Request
from starlette.responses import Response

from contacts_svc.features.claims.schemas import ClaimWrite, ReleaseWrite
from contacts_svc.features.claims.usecases import claim_contact, claiming_user, lock_to_claim, release_contact
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.contacts.resource import CONTACTS

router = APIRouter(prefix="/v1/contacts/{contact_id}", tags=["claims"], route_class=TransactionRoute)


@router.post(
    "/claim",
    response_model=Contact,
    operation_id="claim_contact",
    summary="Take a contact out of its pool",
    description="It is yours from then on, and your team's. Of several who claim at once one has it, the others are told 409.",
    openapi_extra=route_options(needs="create"),
)
async def claim(
    request: Request, contact_id: EntityPath, data: ClaimWrite, session: Writing, caller: Caller
) -> Response:
    user_id = claiming_user(data, caller)
    row = await lock_to_claim(session, contact_id, user_id)
    check_if_match(request, row.version)
    await claim_contact(session, row, user_id, caller)
    return entity_response(request, CONTACT_EVENTS.snapshot(row))


@router.post(
    "/release",
    response_model=Contact,
    operation_id="release_contact",
    summary="Give a contact back into a pool",
)
async def release(
    request: Request, contact_id: EntityPath, data: ReleaseWrite, session: Writing, caller: Caller
) -> Response:
    row = await CONTACTS.lock(session, contact_id, "read")
    check_if_match(request, row.version)
    await release_contact(session, row, data, caller)
    return entity_response(request, CONTACT_EVENTS.snapshot(row))
