"""Over HTTP: why a contact has its tags."""

from crm_kit.http.route import Caller, Reading, TransactionRoute
from crm_kit.resources import EntityPath, json_response
from fastapi import APIRouter, Request
from starlette.responses import Response

from contacts_svc.features.tag_reasons.schemas import ContactTags
from contacts_svc.features.tag_reasons.usecases import tags_of

router = APIRouter(prefix="/v1", route_class=TransactionRoute)


@router.get(
    "/contacts/{entity_id}/tags",
    tags=["contacts"],
    response_model=ContactTags,
    operation_id="list_contact_tags",
    summary="Who or what gave a contact its tags, and why",
)
async def tags(request: Request, entity_id: EntityPath, session: Reading, caller: Caller) -> Response:
    """A tag by a rule says by which, since when, and what of the contact it holds by, as far as you see that."""
    return json_response(request, await tags_of(session, entity_id, caller))
