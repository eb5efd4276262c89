"""Bulk changes over HTTP."""

from typing import Annotated

from crm_contracts.ids import ID_SUFFIX
from crm_kit.http import pagination
from crm_kit.http.problems import preferred_language
from crm_kit.http.route import Caller, Reading, Writing, route_options
from crm_kit.resources import EntityPath, admit, entity_response, json_response, next_link, resource_router
from fastapi import Query, Request
from starlette.responses import Response

from contacts_svc.features.bulk_changes import repository, usecases
from contacts_svc.features.bulk_changes.resource import BULK_CHANGES
from contacts_svc.features.bulk_changes.schemas import (
    BulkChange,
    BulkChangeWrite,
    BulkFailure,
    BulkFailures,
    BulkPreview,
)

router = resource_router(BULK_CHANGES)


def _language(request: Request) -> str:
    return preferred_language(request.headers.get("accept-language", ""))


@router.post(
    "",
    status_code=201,
    response_model=BulkChange,
    operation_id="create_bulk_change",
    summary="Change, tag, archive, restore or delete many contacts or accounts",
    openapi_extra=route_options(needs="create"),
)
async def create(request: Request, data: BulkChangeWrite, session: Writing, caller: Caller) -> Response:
    """By a job, in your name, whose progress `/v1/jobs/{job_id}/events` tells and which `/v1/jobs/{job_id}/cancel` stops.

    Each record is changed as if you had changed it alone: with its own event, by its own rules. What changes meanwhile and does
    not fit the condition any more is left alone. Look at `/v1/bulk-changes/preview` before.
    """
    entity = await usecases.create_bulk_change(session, data, caller, _language(request))
    await admit(session, BULK_CHANGES, entity.id)
    return entity_response(request, entity, status=201, location=f"/v1/bulk-changes/{entity.id}")


@router.post(
    "/preview",
    response_model=BulkPreview,
    operation_id="preview_bulk_change",
    summary="How many records a bulk change finds, and what becomes of some of them",
    openapi_extra=route_options(needs="create"),
)
async def preview(request: Request, data: BulkChangeWrite, session: Writing, caller: Caller) -> Response:
    """Nothing is changed. The number is exact up to 10,000, and an estimate where counting would take long."""
    return json_response(request, await usecases.preview(session, data, caller, _language(request)))


@router.get(
    "/{entity_id}/failures",
    response_model=BulkFailures,
    operation_id="list_bulk_change_failures",
    summary="The records that were not changed, and why",
)
async def failures(
    request: Request,
    entity_id: EntityPath,
    session: Reading,
    limit: Annotated[int, Query(ge=1, le=pagination.MAX_LIMIT)] = pagination.DEFAULT_LIMIT,
    cursor: Annotated[str, Query(pattern=f"^([a-z_]{{1,63}}_{ID_SUFFIX})?$")] = "",
) -> Response:
    row = await BULK_CHANGES.get(session, entity_id)
    session.sights = None  # whoever sees a bulk change sees what failed in it
    found = await repository.failures(session, row.id, cursor, limit + 1)
    page = found[:limit]
    next_cursor = page[-1].record_id if len(found) > limit else None
    data = [BulkFailure(id=each.record_id, problem=each.problem) for each in page]
    return json_response(
        request, BulkFailures(data=data, next_cursor=next_cursor), headers=next_link(request, next_cursor)
    )
