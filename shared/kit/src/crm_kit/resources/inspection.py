"""How a record lies to the caller, for the gateway, which explains it: outside `/v1`, so that no client reaches it."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from crm_kit.errors import NotFound
from crm_kit.http.route import Reading, TransactionRoute
from crm_kit.manifest import Manifest
from crm_kit.resources import access
from crm_kit.resources.resource import Resource
from crm_kit.resources.responses import json_response
from crm_kit.resources.routes import ResourceRouter
from crm_kit.rights import Action

router = APIRouter(prefix="/internal/access", tags=["access"], route_class=TransactionRoute, include_in_schema=False)


@router.get("/{plural}/{entity_id}")
async def inspect(request: Request, plural: str, entity_id: str, session: Reading, action: Action = "read") -> Response:
    resource = resources_of(request.app.state.runtime.manifest).get(plural)
    found = await access.inspect(session, resource, entity_id, action) if resource is not None else None
    if found is None:
        raise NotFound
    return json_response(request, found)


def resources_of(manifest: Manifest) -> Mapping[str, Resource[Any, Any, Any]]:
    """By their plural."""
    routers = (feature.router for feature in manifest.features)
    return {router.resource.plural: router.resource for router in routers if isinstance(router, ResourceRouter)}
