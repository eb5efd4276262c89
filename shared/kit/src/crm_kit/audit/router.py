"""The audit log over HTTP, for the gateway: outside `/v1`, so that no client reaches it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from crm_kit.audit import repository
from crm_kit.audit.schemas import EntryList, EntryQuery
from crm_kit.http.route import Reading, TransactionRoute
from crm_kit.resources.responses import json_response

router = APIRouter(
    prefix="/internal/audit-log", tags=["audit-log"], route_class=TransactionRoute, include_in_schema=False
)


@router.get("")
async def list_entries(request: Request, session: Reading, query: Annotated[EntryQuery, Query()]) -> Response:
    service: str = request.app.state.runtime.manifest.name
    return json_response(request, EntryList(data=await repository.page(session, service, query)))
