"""Webhook endpoints over HTTP."""

from typing import Annotated, Any, cast

from crm_contracts.webhooks import WebhookEndpoint
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.outbound import OutboundRefused
from crm_kit.http.route import Caller, Reading, Writing, route_options
from crm_kit.resources import (
    EntityPath,
    admit,
    check_if_match,
    entity_response,
    json_response,
    resource_router,
)
from crm_kit.resources.schemas import merge_patch_type
from fastapi import Request
from starlette.responses import Response

from gateway.features.webhook_deliveries import usecases as deliveries
from gateway.features.webhook_endpoints import usecases
from gateway.features.webhook_endpoints.resource import WEBHOOK_ENDPOINTS
from gateway.features.webhook_endpoints.schemas import (
    CreatedWebhookEndpoint,
    CursorWrite,
    Match,
    MatchWrite,
    SecretRotation,
    WebhookEndpointCreate,
    WebhookEndpointWrite,
    WebhookProgress,
)
from gateway.settings import GatewaySettings

router = resource_router(WEBHOOK_ENDPOINTS)
_Patch = Annotated[dict[str, Any], merge_patch_type(WebhookEndpointWrite)]


def _settings(request: Request) -> GatewaySettings:
    return cast("GatewaySettings", request.app.state.settings)


def _check_url(request: Request, url: str | None) -> None:
    """Raises ValidationFailed for what may not be asked, as far as its form tells. What a name stands for is looked at then."""
    if url is None:
        return
    try:
        _settings(request).webhook_outbound().check(url)
    except OutboundRefused as refused:
        text = Text(
            "It must be https at a public address, port 443 or 8443; who runs this may name others in OUTBOUND_TRUSTED_HOSTS",
            "必须是公网地址上的 https，端口 443 或 8443；运维可通过 OUTBOUND_TRUSTED_HOSTS 放行其他主机",
        )
        raise ValidationFailed(text, errors=[FieldError("/url", "address_refused", text)]) from refused


@router.post(
    "",
    status_code=201,
    response_model=CreatedWebhookEndpoint,
    operation_id="create_webhook_endpoint",
    summary="Subscribe to events; the answer alone holds the secret",
    openapi_extra=route_options(needs="create", sensitive=True),
)
async def create(request: Request, data: WebhookEndpointCreate, session: Writing, caller: Caller) -> Response:
    _check_url(request, data.url)
    seal = usecases.sealer(_settings(request).keyring)
    created = await usecases.create_endpoint(session, data, caller, seal)
    await admit(session, WEBHOOK_ENDPOINTS, created.id)
    return entity_response(request, created, status=201, location=f"/v1/webhook-endpoints/{created.id}")


@router.patch(
    "/{entity_id}",
    response_model=WebhookEndpoint,
    operation_id="update_webhook_endpoint",
    summary="Change a webhook endpoint by a JSON Merge Patch: pause and resume it, too",
)
async def update(request: Request, entity_id: EntityPath, patch: _Patch, session: Writing, caller: Caller) -> Response:
    row = await WEBHOOK_ENDPOINTS.lock(session, entity_id)
    check_if_match(request, row.version)
    data = WEBHOOK_ENDPOINTS.patched(WEBHOOK_ENDPOINTS.events.snapshot(row), usecases.with_status(row, patch))
    if data.url != row.url:
        _check_url(request, data.url)
    await usecases.change_endpoint(session, row, data, caller, usecases.sealer(_settings(request).keyring))
    return entity_response(request, WEBHOOK_ENDPOINTS.events.snapshot(row))


@router.post(
    "/{entity_id}/rotate-secret",
    response_model=CreatedWebhookEndpoint,
    operation_id="rotate_webhook_secret",
    summary="Make a new secret; the old one signs beside it for a while",
    openapi_extra=route_options(needs="update", sensitive=True),
)
async def rotate(
    request: Request, entity_id: EntityPath, session: Writing, data: SecretRotation | None = None
) -> Response:
    row = await WEBHOOK_ENDPOINTS.lock(session, entity_id)
    check_if_match(request, row.version)
    seal = usecases.sealer(_settings(request).keyring)
    return entity_response(request, await usecases.rotate_secret(session, row, data or SecretRotation(), seal))


@router.get(
    "/{entity_id}/progress",
    response_model=WebhookProgress,
    operation_id="get_webhook_progress",
    summary="How far the endpoint has come, and whether it answers",
)
async def progress(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    row = await WEBHOOK_ENDPOINTS.get(session, entity_id)
    return json_response(request, await deliveries.progress_of(session, row.id))


@router.post(
    "/{entity_id}/cursor",
    response_model=WebhookProgress,
    operation_id="set_webhook_cursor",
    summary="Go on from another place: from where the events were fetched, from the beginning, with a snapshot",
    openapi_extra=route_options(needs="update"),
)
async def set_cursor(request: Request, entity_id: EntityPath, data: CursorWrite, session: Writing) -> Response:
    row = await WEBHOOK_ENDPOINTS.lock(session, entity_id)
    await deliveries.go_on_from(session, row, data.after)
    return json_response(request, await deliveries.progress_of(session, row.id))


@router.post(
    "/{entity_id}/match",
    response_model=Match,
    operation_id="match_webhook_event",
    summary="Would the endpoint be told of this event, and what of it?",
    openapi_extra=route_options(needs="read", reads=True),
)
async def match(request: Request, entity_id: EntityPath, data: MatchWrite, session: Reading) -> Response:
    row = await WEBHOOK_ENDPOINTS.get(session, entity_id)
    return json_response(request, await deliveries.match_event(session, row, data))
