"""Inbound sources over HTTP. Where they post to is in `inbound_deliveries`."""

from typing import Annotated, Any

from crm_contracts.inbound import InboundSource
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.outbound import OutboundRefused
from crm_kit.http.route import Caller, Reading, Writing, route_options
from crm_kit.resources import EntityPath, admit, check_if_match, entity_response, json_response, resource_router
from crm_kit.resources.schemas import merge_patch_type
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
    PullWrite,
    SourceSecretRotation,
)

router = resource_router(INBOUND_SOURCES)
_Patch = Annotated[dict[str, Any], merge_patch_type(InboundSourceWrite)]


def _check_base_url(request: Request, pull: PullWrite | None) -> None:
    """Raises ValidationFailed for what may not be asked, as far as its form tells. What a name stands for is looked at then."""
    if pull is None:
        return
    try:
        request.app.state.settings.outbound().check(pull.base_url)
    except OutboundRefused as refused:
        text = Text(
            "It must be https at a public address, port 443 or 8443; who runs this may name others in OUTBOUND_TRUSTED_HOSTS",
            "必须是公网地址上的 https，端口 443 或 8443；运维可通过 OUTBOUND_TRUSTED_HOSTS 放行其他主机",
        )
        raise ValidationFailed(text, errors=[FieldError("/pull/base_url", "address_refused", text)]) from refused


@router.post(
    "",
    status_code=201,
    response_model=CreatedInboundSource,
    operation_id="create_inbound_source",
    summary="Create an inbound source; the answer alone holds its secret",
    openapi_extra=route_options(needs="admin", sensitive=True),
)
async def create(request: Request, data: InboundSourceWrite, session: Writing, caller: Caller) -> Response:
    _check_base_url(request, data.pull)
    created = await usecases.create_source(session, data, caller, request.app.state.settings.keyring)
    await admit(session, INBOUND_SOURCES, created.id)
    return entity_response(request, created, status=201, location=f"/v1/inbound-sources/{created.id}")


@router.patch(
    "/{entity_id}",
    response_model=InboundSource,
    operation_id="update_inbound_source",
    summary="Change an inbound source by a JSON Merge Patch",
    openapi_extra=route_options(needs="admin"),
)
async def update(request: Request, entity_id: EntityPath, patch: _Patch, session: Writing, caller: Caller) -> Response:
    row = await INBOUND_SOURCES.lock(session, entity_id)
    check_if_match(request, row.version)
    before = INBOUND_SOURCES.events.snapshot(row)
    data = INBOUND_SOURCES.patched(before, patch)
    if data.pull is not None and (before.pull is None or data.pull.base_url != before.pull.base_url):
        _check_base_url(request, data.pull)
    await usecases.change_source(session, row, data, caller, request.app.state.settings.keyring)
    return entity_response(request, INBOUND_SOURCES.events.snapshot(row))


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
        session, row, data or SourceSecretRotation(), caller, request.app.state.settings.keyring
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
