"""Roles over HTTP."""

from crm_kit.http.route import Reading, TransactionRoute
from crm_kit.resources import Page, json_response, resource_router
from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.features.roles.ready import READY
from gateway.features.roles.resource import ROLES
from gateway.features.roles.schemas import ReadyRole

router = APIRouter(route_class=TransactionRoute)


@router.get(
    "/v1/roles/ready",
    tags=["roles"],
    response_model=Page[ReadyRole],
    operation_id="list_ready_roles",
    summary="The roles that every tenant has",
)
async def ready(request: Request, _session: Reading) -> Response:
    return json_response(request, Page[ReadyRole](data=list(READY.values()), next_cursor=None))


router.include_router(resource_router(ROLES))  # behind it: `ready` is no id
