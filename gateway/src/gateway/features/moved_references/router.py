"""What merges have moved, over HTTP: asked of every service."""

from typing import Annotated, Final

from crm_contracts.ids import MergeId, prefix_of
from crm_kit.errors import NotFound
from crm_kit.http.route import Caller, Reading, TransactionRoute
from crm_kit.merging.schemas import MovedReference, MoveList, MoveQuery
from crm_kit.resources import EntityPath
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.features.moved_references.schemas import MovesPage, MovesQuery
from gateway.merged_lists import MergedPage, page_response
from gateway.owners import ask_each, ask_one
from gateway.upstream import SERVICES

router = APIRouter(prefix="/v1/moved-references", tags=["merges"], route_class=TransactionRoute)

_OWNER: Final = "contacts"


@router.get("/{merge_id}", operation_id="list_moved_references", response_model=MovesPage)
async def moves(
    request: Request, merge_id: EntityPath, session: Reading, caller: Caller, query: Annotated[MovesQuery, Query()]
) -> Response:
    """What refers to another contact since a merge: deals, orders, invoices, payments, tickets, memberships, messages, activities."""
    if prefix_of(merge_id) != MergeId.prefix:
        raise NotFound
    await ask_one(request, caller, _OWNER, f"/v1/merges/{merge_id}")  # whether the caller sees it
    merged = MergedPage[MovedReference](request, session, "moved-references", merge_id, query.limit)
    asked = MoveQuery(before=merged.after(query.cursor), limit=query.limit + 1)
    lists, degraded = await ask_each(request, caller, SERVICES, f"/internal/merges/{merge_id}/moves", asked, MoveList)
    page, next_cursor = merged.cut([each for one in lists for each in one.data])
    return page_response(request, MovesPage(data=page, next_cursor=next_cursor, degraded=degraded))
