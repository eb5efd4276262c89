"""The preference link, and what is behind it. That is public: the token is the permission."""

from crm_kit.db.models import utc_now
from crm_kit.errors import UnknownLink
from crm_kit.http.route import Reading, TransactionRoute, Writing, route_options
from crm_kit.http.signed_tokens import InvalidToken
from crm_kit.resources import EntityPath, json_response
from fastapi import APIRouter, Request
from starlette.responses import Response

from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.preferences import usecases
from contacts_svc.features.preferences.rules import PreferenceLink
from contacts_svc.features.preferences.schemas import (
    PreferenceLinkMade,
    PreferenceLinkWrite,
    PreferencePage,
    PreferencesWrite,
)

router = APIRouter(route_class=TransactionRoute)

_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


@router.post(
    "/v1/contacts/{entity_id}/preference-link",
    tags=["consents"],
    status_code=201,
    response_model=PreferenceLinkMade,
    operation_id="make_preference_link",
    summary="Make a link by which a person sees and changes what they have consented to",
    openapi_extra=route_options(needs="create", sensitive=True),
)
async def make_link(request: Request, entity_id: EntityPath, data: PreferenceLinkWrite, session: Writing) -> Response:
    """Put its token into the address of a page of yours, and give it to nobody but that person."""
    row = await CONTACTS.get(session, entity_id)
    keyring = request.app.state.settings.keyring
    made = usecases.make_link(session.tenant_id, row.id, data.days, utc_now(), keyring)
    return json_response(request, made, status=201, headers={**_PRIVATE, "Location": made.path})


def _link(request: Request, token: str) -> PreferenceLink:
    try:
        return PreferenceLink.parse(token, request.app.state.settings.keyring)
    except InvalidToken:
        raise UnknownLink from None


@router.get(
    "/v1/preferences/{token}",
    tags=["preferences"],
    response_model=PreferencePage,
    operation_id="get_preferences",
    summary="What a person has consented to, and could",
    openapi_extra=route_options(public=True),
)
async def get_preferences(request: Request, token: str, session: Reading) -> Response:
    link = _link(request, token)
    await session.use_tenant(link.tenant_id)
    row = await usecases.person(session, link)
    return json_response(request, await usecases.show(session, row), headers=_PRIVATE)


@router.post(
    "/v1/preferences/{token}",
    tags=["preferences"],
    response_model=PreferencePage,
    operation_id="decide_preferences",
    summary="Grant and withdraw",
    openapi_extra=route_options(public=True),
)
async def decide_preferences(request: Request, token: str, data: PreferencesWrite, session: Writing) -> Response:
    """Nothing is sent any more by what is withdrawn once this is answered and campaigns-svc has heard of it."""
    link = _link(request, token)
    await session.use_tenant(link.tenant_id)
    row = await usecases.person(session, link, lock=True)
    await usecases.decide(session, row, data)
    return json_response(request, await usecases.show(session, row), headers=_PRIVATE)
