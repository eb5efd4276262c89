"""The audit log over HTTP. It is only read here: whoever acts writes it."""

from typing import Annotated, Final

from crm_contracts.ids import AuditEntryId
from crm_kit.audit import note_access
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.errors import InvalidCursor, Text
from crm_kit.http import pagination
from crm_kit.http.principal import Principal
from crm_kit.http.route import Caller, TransactionRoute
from crm_kit.keyring import Keyring
from fastapi import APIRouter, Query, Request
from sqlalchemy import column
from starlette.responses import Response, StreamingResponse

from gateway.features.audit_log.reading import AuditReader, Place, place_of
from gateway.features.audit_log.schemas import AuditEntryPage, AuditLogFilter, AuditLogQuery
from gateway.merged_lists import page_response

router = APIRouter(prefix="/v1/audit-log", tags=["audit-log"], route_class=TransactionRoute)

_NEWEST_FIRST: Final = pagination.parse_sort(
    "-at,-id",
    FieldSet(
        "audit-log",
        [
            Field("at", FieldType.DATETIME, column("at"), sortable=True, nullable=False),
            Field("id", FieldType.TEXT, column("id"), sortable=True, nullable=False),
        ],
    ),
)
_NDJSON, _TEXT = "application/x-ndjson", "text/plain"
"""One and the same; generators of clients know the second alone."""


@router.get("", operation_id="list_audit_entries", response_model=AuditEntryPage)
async def list_audit_entries(request: Request, caller: Caller, query: Annotated[AuditLogQuery, Query()]) -> Response:
    """List who did what to what, newest first."""
    cursors = _cursors(request, caller, query.model_dump(mode="json", exclude={"limit", "cursor"}))
    entries, degraded = await _reader(request, caller, query).page(_after(cursors, query.cursor), query.limit + 1)
    page, more = entries[: query.limit], len(entries) > query.limit
    next_cursor = cursors.write(_NEWEST_FIRST, place_of(page[-1])) if more else None
    return page_response(request, AuditEntryPage(data=page, next_cursor=next_cursor, degraded=list(degraded)))


@router.get(
    "/export",
    operation_id="export_audit_entries",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {kind: {"schema": {"type": "string"}} for kind in (_NDJSON, _TEXT)},
            "description": "An AuditEntry in JSON a line",
        }
    },
)
async def export_audit_entries(request: Request, caller: Caller, query: Annotated[AuditLogFilter, Query()]) -> Response:
    """Export all entries that the filter finds, newest first, an entry a line; the export is an entry itself.

    It is whole, or it breaks off: where a service does not answer it ends without the end that HTTP asks for.
    """
    reader = _reader(request, caller, query)
    first = await reader.whole_page(None)
    note_access(request, "exported", resource="audit_entry", details=query.model_dump(mode="json", exclude_none=True))
    asks_for_text = request.headers.get("accept", "").partition(",")[0].strip().startswith(_TEXT)
    return StreamingResponse(reader.lines(first), media_type=_TEXT if asks_for_text else _NDJSON)


def _reader(request: Request, caller: Principal, wanted: AuditLogFilter) -> AuditReader:
    state = request.app.state
    return AuditReader(state.services, state.database, caller, wanted, state.settings.live_deadline_seconds)


def _cursors(request: Request, caller: Principal, filters: object) -> pagination.Cursors:
    keyring: Keyring = request.app.state.settings.keyring
    assert caller.tenant_id is not None, "the administrator has no audit log"
    return pagination.Cursors(keyring, tenant_id=caller.tenant_id, resource="audit-log", filters=filters)


def _after(cursors: pagination.Cursors, cursor: str | None) -> Place | None:
    if not cursor:
        return None
    try:
        at, entry_id = cursors.read(_NEWEST_FIRST, cursor)
    except pagination.InvalidCursor as error:
        raise InvalidCursor(Text(error.detail, "游标无效或属于另一个列表；请去掉游标重新开始。")) from error
    return at, AuditEntryId(entry_id)  # type: ignore[return-value]  # a cursor of ours holds what was written into it
