"""Exports over HTTP."""

from datetime import timedelta
from typing import Final

from crm_kit.audit import note_access
from crm_kit.db.session import Database
from crm_kit.http.problems import preferred_language
from crm_kit.http.route import Caller, Reading, Writing, route_options
from crm_kit.resources import EntityPath, admit, entity_response, file_response, resource_router
from fastapi import Request
from starlette.responses import Response, StreamingResponse

from contacts_svc.features.exports import usecases
from contacts_svc.features.exports.resource import EXPORTS
from contacts_svc.features.exports.schemas import Export, ExportWrite

router = resource_router(EXPORTS)

_MEDIA_TYPES: Final = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_TEXT: Final = {"schema": {"type": "string"}}
_CONTENT: Final = {
    media_type: _TEXT if format_ != "xlsx" else {"schema": {"type": "string", "format": "binary"}}
    for format_, media_type in _MEDIA_TYPES.items()
}
_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@router.post(
    "",
    status_code=201,
    response_model=Export,
    operation_id="create_export",
    summary="Write a file of contacts, accounts or activities",
    openapi_extra=route_options(needs="export"),
)
async def create_export(request: Request, data: ExportWrite, session: Writing, caller: Caller) -> Response:
    """By a job, whose progress `/v1/jobs/{job_id}/events` tells. It holds what you see of the records that you may export."""
    language = preferred_language(request.headers.get("accept-language", ""))
    kept = timedelta(days=request.app.state.settings.export_days)
    entity = await usecases.create_export(session, data, caller, language, kept)
    await admit(session, EXPORTS, entity.id, action="export")
    return entity_response(request, entity, status=201, location=f"/v1/exports/{entity.id}")


@router.get(
    "/{entity_id}/file",
    operation_id="download_export",
    summary="Download the file of an export",
    response_class=StreamingResponse,
    responses={
        200: {"content": _CONTENT},
        409: {"description": "There is no file, or none yet", "content": _PROBLEM},
    },
)
async def download_export(request: Request, entity_id: EntityPath, session: Reading, caller: Caller) -> Response:
    """Once its job has succeeded; for who asked for it, and for who may see everything."""
    row = await EXPORTS.get(session, entity_id)
    usecases.check_file(session, row, caller)
    details = {name: getattr(row, name) for name in ("resource", "rows", "shown")}
    note_access(request, "exported", resource=EXPORTS.singular, entity_id=row.id, details=details)
    database: Database = request.app.state.database
    media_type = _MEDIA_TYPES[row.format]
    if row.format == "csv":
        media_type += f"; charset={row.encoding.removesuffix('-sig')}; header=present"
    return file_response(
        request,
        usecases.file_of(database, session.tenant_id, row),
        version=row.version,
        size=row.size or 0,
        media_type=media_type,
        filename=row.filename,
    )
