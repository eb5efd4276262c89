"""Inbound sources over HTTP. Where they post to is in `inbound_deliveries`."""

from crm_kit.http.route import Caller, Reading, Writing, route_options
from crm_kit.resources import EntityPath, admit, check_if_match, entity_response, json_response, resource_router
from fastapi import Request
from starlette.responses import Response

from gateway.features.inbound_sources import usecases
from gateway.features.inbound_sources.events import INBOUND_SOURCE_EVENTS
from gateway.features.inbound_sources.resource import INBOUND_SOURCES
from gateway.features.inbound_sources.schemas import (
    CreatedInboundSource,
    InboundSourceWrite,
    PayloadPreview,
    PayloadPreviewRequest,
    SourceSecretRotation,
)

router = resource_router(INBOUND_SOURCES)


@router.post(
    "",
    status_code=201,
    response_model=CreatedInboundSource,
    operation_id="create_inbound_source",
    summary="Create an inbound source; the answer alone holds its secret",
    openapi_extra=route_options(needs="admin", sensitive=True),
)
async def create(request: Request, data: InboundSourceWrite, session: Writing, caller: Caller) -> Response:
    created = await usecases.create_source(session, data, caller, request.app.state.settings.secret)
    await admit(session, INBOUND_SOURCES, created.id)
    return entity_response(request, created, status=201, location=f"/v1/inbound-sources/{created.id}")


@router.post(
    "/{entity_id}/rotate-secret",
    response_model=CreatedInboundSource,
    operation_id="rotate_inbound_source_secret",
    summary="Replace the secret; the one before counts beside it for a while",
    openapi_extra=route_options(needs="admin", sensitive=True),
)
async def rotate_secret(
    request: Request, entity_id: EntityPath, session: Writing, caller: Caller, data: SourceSecretRotation | None = None
) -> Response:
    row = await INBOUND_SOURCES.lock(session, entity_id)
    check_if_match(request, row.version)
    rotated = await usecases.rotate_secret(
        session, row, data or SourceSecretRotation(), caller, request.app.state.settings.secret
    )
    return entity_response(request, rotated)


@router.post(
    "/{entity_id}/preview",
    response_model=PayloadPreview,
    operation_id="preview_inbound_payload",
    summary="What a payload would become; nothing is written",
    openapi_extra=route_options(needs="read", reads=True),
)
async def preview(
    request: Request, entity_id: EntityPath, asked: PayloadPreviewRequest, session: Reading, caller: Caller
) -> Response:
    row = await INBOUND_SOURCES.get(session, entity_id)
    return json_response(request, await usecases.preview(INBOUND_SOURCE_EVENTS.snapshot(row), asked, caller.region))
