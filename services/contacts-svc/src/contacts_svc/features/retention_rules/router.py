"""Retention rules over HTTP: what one would take, is about to take, and has done."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from crm_contracts.ids import ID_SUFFIX, ActivityId, ContactId, RetentionRunId
from crm_contracts.types import Timestamp
from crm_kit.errors import InvalidCursor
from crm_kit.http import pagination
from crm_kit.http.route import Caller, Reading, Writing, route_options
from crm_kit.resources import EntityPath, json_response, next_link, resource_router
from fastapi import Query, Request
from starlette.responses import Response

from contacts_svc.features.retaining.repository import Place, runs_of, told
from contacts_svc.features.retention_rules import usecases
from contacts_svc.features.retention_rules.resource import RETENTION_RULES
from contacts_svc.features.retention_rules.schemas import (
    DueRecords,
    FailedRecord,
    RetentionPreview,
    RetentionPreviewWrite,
    RetentionRuns,
    ToldRetentionRun,
)

_RUN: Final = f"^({RetentionRunId.prefix}_{ID_SUFFIX})?$"
_PLACE: Final = f"^(-?[0-9]{{1,17}}-({ContactId.prefix}|{ActivityId.prefix})_{ID_SUFFIX})?$"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

router = resource_router(RETENTION_RULES)


@router.post(
    "/preview",
    response_model=RetentionPreview,
    operation_id="preview_retention_rule",
    summary="How many records a retention rule would take now, and some of them",
    openapi_extra=route_options(needs="read"),
)
async def preview(request: Request, data: RetentionPreviewWrite, session: Writing, caller: Caller) -> Response:
    """Nothing is done. The number is exact up to 10,000, and an estimate where counting would take long."""
    return json_response(request, await usecases.preview(session, data, caller))


@router.get(
    "/{entity_id}/due",
    response_model=DueRecords,
    operation_id="list_due_records",
    summary="What a retention rule is about to take",
)
async def list_due(
    request: Request,
    entity_id: EntityPath,
    session: Reading,
    caller: Caller,
    by: Annotated[Timestamp | None, Query(description="After now; by default once the rule counts")] = None,
    limit: Annotated[int, Query(ge=1, le=pagination.MAX_LIMIT)] = pagination.DEFAULT_LIMIT,
    cursor: Annotated[str, Query(pattern=_PLACE)] = "",
) -> Response:
    """Of what you see, oldest first; what becomes due until `by` if nothing is done with it."""
    row = await RETENTION_RULES.get(session, entity_id)
    data, last = await usecases.due_page(session, row, by, _read(cursor), limit, caller)
    session.sights = None  # ids and times of records that are seen
    following = _spelled(last) if last is not None else None
    return json_response(request, DueRecords(data=data, next_cursor=following), headers=next_link(request, following))


@router.get(
    "/{entity_id}/runs",
    response_model=RetentionRuns,
    operation_id="list_retention_runs",
    summary="What a retention rule has done, run by run",
)
async def list_runs(
    request: Request,
    entity_id: EntityPath,
    session: Reading,
    limit: Annotated[int, Query(ge=1, le=pagination.MAX_LIMIT)] = pagination.DEFAULT_LIMIT,
    cursor: Annotated[str, Query(pattern=_RUN)] = "",
) -> Response:
    row = await RETENTION_RULES.get(session, entity_id)
    session.sights = None  # whoever sees a rule sees what it did
    found = await runs_of(session, row.id, cursor, limit + 1)
    following = found[limit - 1].id if len(found) > limit else None
    data = [
        ToldRetentionRun(
            **told(run).model_dump(), failures=[FailedRecord.model_validate(each) for each in run.failures]
        )
        for run in found[:limit]
    ]
    return json_response(
        request, RetentionRuns(data=data, next_cursor=following), headers=next_link(request, following)
    )


def _spelled(place: Place) -> str:
    return f"{(place[0] - _EPOCH) // timedelta(microseconds=1)}-{place[1]}"


def _read(cursor: str) -> Place | None:
    if not cursor:
        return None
    at, _, id_ = cursor.rpartition("-")
    try:
        return _EPOCH + timedelta(microseconds=int(at)), id_
    except OverflowError as error:
        raise InvalidCursor from error
