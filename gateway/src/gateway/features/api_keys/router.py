"""API keys over HTTP."""

from typing import cast

from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing, route_options
from crm_kit.resources import (
    EntityPath,
    Page,
    admit,
    check_if_match,
    entity_response,
    json_response,
    list_page,
    next_link,
)
from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.access.authenticator import GatewayAuthenticator
from gateway.features.api_keys.events import snapshot
from gateway.features.api_keys.resource import API_KEYS
from gateway.features.api_keys.schemas import ApiKey, ApiKeyWrite, CreatedApiKey, Rotation
from gateway.features.api_keys.usecases import create_api_key, revoke_api_key, rotate_api_key

router = APIRouter(prefix="/v1/api-keys", tags=["api-keys"], route_class=TransactionRoute)

_ADMIN = route_options(needs="admin")


@router.post(
    "",
    status_code=201,
    response_model=CreatedApiKey,
    operation_id="create_api_key",
    summary="Create an API key; the answer alone holds it",
    openapi_extra=route_options(needs="admin", sensitive=True),
)
async def create(request: Request, data: ApiKeyWrite, session: Writing, caller: Caller) -> Response:
    created = await create_api_key(session, data, caller)
    await admit(session, API_KEYS, created.id)
    return entity_response(request, created, status=201, location=f"/v1/api-keys/{created.id}")


@router.get(
    "", response_model=Page[ApiKey], operation_id="list_api_keys", summary="List API keys", openapi_extra=_ADMIN
)
async def list_all(request: Request, session: Reading) -> Response:
    page = await list_page(session, API_KEYS, request)
    return json_response(request, page, headers=next_link(request, page.next_cursor))


@router.get(
    "/{entity_id}",
    response_model=ApiKey,
    operation_id="get_api_key",
    summary="Read an API key",
    openapi_extra=_ADMIN,
)
async def get(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    return entity_response(request, snapshot(await API_KEYS.get(session, entity_id)))


@router.post(
    "/{entity_id}/rotate",
    status_code=201,
    response_model=CreatedApiKey,
    operation_id="rotate_api_key",
    summary="Replace an API key by a new one; both are valid for a while",
    openapi_extra=route_options(needs="admin", sensitive=True),
)
async def rotate(
    request: Request, entity_id: EntityPath, session: Writing, caller: Caller, data: Rotation | None = None
) -> Response:
    row = await API_KEYS.lock(session, entity_id)
    created = await rotate_api_key(session, row, data or Rotation(), caller)
    await admit(session, API_KEYS, created.id)
    return entity_response(request, created, status=201, location=f"/v1/api-keys/{created.id}")


@router.delete(
    "/{entity_id}",
    status_code=204,
    response_class=Response,
    operation_id="delete_api_key",
    summary="Revoke an API key: it is refused from then on",
    openapi_extra=_ADMIN,
)
async def delete(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
    row = await API_KEYS.lock(session, entity_id)
    check_if_match(request, row.version)
    await revoke_api_key(session, row, caller)
    cast("GatewayAuthenticator", request.app.state.authenticator).revoke(row.id)
    return Response(status_code=204, headers={"Consistency-Token": f"{row.id}@{row.version}"})
