"""Manifests of merges over HTTP, for the gateway, which asks every service: outside `/v1`, so that no client reaches it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from crm_kit.http.route import Reading, TransactionRoute
from crm_kit.merging import repository
from crm_kit.merging.schemas import MovedReference, MoveList, MoveQuery
from crm_kit.resources.responses import json_response

router = APIRouter(prefix="/internal/merges", tags=["merges"], route_class=TransactionRoute, include_in_schema=False)


@router.get("/{merge_id}/moves")
async def moves(request: Request, merge_id: str, session: Reading, query: Annotated[MoveQuery, Query()]) -> Response:
    found = await repository.manifest(session, merge_id, query.before, query.limit)
    session.sights = None  # the gateway has asked whether the caller sees the merge
    data = [MovedReference(id=each.entity_id, from_id=each.home_id, to_id=each.placed_id) for each in found]
    return json_response(request, MoveList(data=data))
