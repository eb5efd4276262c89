"""Tenants over HTTP. The administrator sees all of them, a tenant's own key sees itself."""

from typing import Any

from crm_contracts.tenancy import Tenant
from crm_kit.db.session import WriteSession
from crm_kit.http.principal import Principal
from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing, route_options
from crm_kit.resources import EntityPath, Page, check_if_match, entity_response, json_response, list_page, next_link
from crm_kit.resources.schemas import merge_patch_type
from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.features.api_keys.schemas import CreatedApiKey
from gateway.features.tenants.events import snapshot
from gateway.features.tenants.resource import TENANTS
from gateway.features.tenants.schemas import CreatedTenant, SupportSessionWrite, TenantWrite
from gateway.features.tenants.usecases import create_tenant, open_support_session, require_administrator, update_tenant

router = APIRouter(prefix="/v1/tenants", tags=["tenants"], route_class=TransactionRoute)


@router.post(
    "",
    status_code=201,
    response_model=CreatedTenant,
    operation_id="create_tenant",
    summary="Create a tenant and its first API key, by the admin key",
    openapi_extra=route_options(needs="admin", sensitive=True),
)
async def create(request: Request, data: TenantWrite, session: Writing, caller: Caller) -> Response:
    created = await create_tenant(session, data, caller)
    return entity_response(request, created, status=201, location=f"/v1/tenants/{created.id}")


@router.get("", response_model=Page[Tenant], operation_id="list_tenants", summary="List the tenants that you may see")
async def list_all(request: Request, session: Reading) -> Response:
    page = await list_page(session, TENANTS, request)
    return json_response(request, page, headers=next_link(request, page.next_cursor))


@router.get("/{entity_id}", response_model=Tenant, operation_id="get_tenant", summary="Read a tenant")
async def get(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    return entity_response(request, snapshot(await TENANTS.get(session, entity_id)))


async def _turn_to(session: WriteSession, entity_id: str, caller: Principal) -> None:
    """Turns the administrator's transaction to a tenant that there is. Raises Forbidden, NotFound."""
    require_administrator(caller)
    await TENANTS.get(session, entity_id)
    await session.use_tenant(entity_id)


async def _update(
    request: Request, entity_id: EntityPath, patch: dict[str, Any], session: Writing, caller: Caller
) -> Response:
    await _turn_to(session, entity_id, caller)
    row = await TENANTS.lock(session, entity_id)
    check_if_match(request, row.version)
    await update_tenant(session, row, TENANTS.patched(snapshot(row), patch), caller)
    return entity_response(request, snapshot(row))


_update.__annotations__["patch"] = merge_patch_type(TenantWrite)
router.add_api_route(
    "/{entity_id}",
    _update,
    methods=["PATCH"],
    response_model=Tenant,
    operation_id="update_tenant",
    summary="Change a tenant by a JSON Merge Patch, by the admin key",
    openapi_extra=route_options(needs="admin"),
)


@router.post(
    "/{entity_id}/support-sessions",
    status_code=201,
    response_model=CreatedApiKey,
    operation_id="open_support_session",
    summary="A key for support staff, by the admin key; the tenant sees it among its API keys and can delete it",
    openapi_extra=route_options(needs="admin", sensitive=True),
)
async def open_support(
    request: Request, entity_id: EntityPath, data: SupportSessionWrite, session: Writing, caller: Caller
) -> Response:
    await _turn_to(session, entity_id, caller)
    created = await open_support_session(session, data, caller)
    return entity_response(request, created, status=201, location=f"/v1/api-keys/{created.id}")
