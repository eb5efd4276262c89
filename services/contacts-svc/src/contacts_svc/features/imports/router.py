"""Imports over HTTP."""

from collections.abc import AsyncIterator
from inspect import signature
from typing import Annotated, Any, Final

from crm_kit.db.session import Database
from crm_kit.errors import FieldError, ValidationFailed
from crm_kit.http import pagination
from crm_kit.http.messages import message
from crm_kit.http.problems import json_pointer, preferred_language
from crm_kit.http.route import Caller, Reading, Writing, route_options
from crm_kit.resources import (
    EntityPath,
    admit,
    check_if_match,
    entity_response,
    json_response,
    next_link,
    resource_router,
)
from crm_kit.tabular import Format, UnreadableTable
from crm_kit.tabular.inspecting import inspected
from fastapi import File, Form, Query, Request, UploadFile
from pydantic import Json
from starlette.responses import Response, StreamingResponse

from contacts_svc.features.import_columns.rules import ImportResource
from contacts_svc.features.import_files.usecases import result_lines
from contacts_svc.features.import_rows.schemas import Likely, OnMatch, Outcome
from contacts_svc.features.imports import usecases
from contacts_svc.features.imports.events import UNPUBLISHED
from contacts_svc.features.imports.repository import WhichRows, results
from contacts_svc.features.imports.resource import IMPORTS
from contacts_svc.features.imports.schemas import (
    Defaults,
    Import,
    ImportedRow,
    ImportedRows,
    ImportOptions,
    ImportRun,
)

router = resource_router(IMPORTS)

ROW_CURSOR: Final = r"^([0-9]{1,15}-[01])?$"
ProblemCode = Annotated[
    str | None,
    Query(pattern="^[a-z_]{1,60}$", description="Rows with such a problem", examples=["duplicate_contacts"]),
]


@router.post(
    "",
    status_code=201,
    response_model=Import,
    operation_id="create_import",
    summary="Take in a file of contacts or accounts",
    openapi_extra=route_options(needs="create", uploads=True),
)
async def create_import(
    request: Request,
    session: Writing,
    caller: Caller,
    file: Annotated[UploadFile, File(description="CSV, XLSX or NDJSON")],
    resource: Annotated[ImportResource, Form()] = "contacts",
    format: Annotated[Format | None, Form()] = None,  # noqa: A002  # the field's name in the form
    encoding: Annotated[str | None, Form(max_length=40)] = None,
    delimiter: Annotated[str | None, Form(max_length=2)] = None,
    sheet: Annotated[str | None, Form(max_length=100)] = None,
    mapping: Annotated[Json[dict[str, str | None]] | None, Form()] = None,
    match: Annotated[str | None, Form(max_length=100, description="Such as email,phone")] = None,
    on_match: Annotated[OnMatch, Form()] = "update",
    duplicates: Annotated[Likely, Form()] = "allow",
    defaults: Annotated[Json[Defaults] | None, Form()] = None,
    create_accounts: Annotated[bool, Form()] = True,
    day_first: Annotated[bool | None, Form()] = None,
    dry_run: Annotated[bool, Form()] = False,
) -> Response:
    """By a job, whose progress `/v1/jobs/{job_id}/events` tells. With `dry_run` nothing is changed, and `/rows` tells the plan."""
    await _refuse_unknown(request)
    given: dict[str, Any] = {
        name: value for name, value in locals().items() if name in ImportOptions.model_fields and value is not None
    }
    if delimiter is not None:
        given["delimiter"] = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if match is not None:
        given["match"] = [name.strip() for name in match.split(",") if name.strip()]
    options = IMPORTS.validated(given)
    language = preferred_language(request.headers.get("accept-language", ""))
    try:
        async with inspected(
            file.file,
            format_=options.format,
            encoding=options.encoding,
            delimiter=options.delimiter,
            sheet=options.sheet,
        ) as table:
            entity = await usecases.create_import(session, options, table, file.filename, caller, language)
    except UnreadableTable as error:
        raise ValidationFailed(error.text, errors=[FieldError(f"/{error.field}", "unreadable", error.text)]) from error
    await admit(session, IMPORTS, entity.id)
    return entity_response(request, entity, status=201, location=f"/v1/imports/{entity.id}")


_FORM: Final = frozenset(signature(create_import).parameters) - {"request", "session", "caller"}


async def _refuse_unknown(request: Request) -> None:
    """FastAPI passes over what a form holds besides."""
    text = message("extra_forbidden")
    unknown = [name for name in await request.form() if name not in _FORM]
    if unknown:
        raise ValidationFailed(
            text, errors=[FieldError(json_pointer([name]), "unknown_field", text) for name in unknown]
        )


@router.post(
    "/{entity_id}/run",
    response_model=Import,
    operation_id="run_import",
    summary="Run an import, after a dry run with what that has shown",
)
async def run_import(
    request: Request, entity_id: EntityPath, data: ImportRun, session: Writing, caller: Caller
) -> Response:
    """After a dry run or a revert it begins anew; a run that failed or was cancelled goes on where it stopped."""
    row = await IMPORTS.lock(session, entity_id)
    check_if_match(request, row.version)
    await usecases.run_import(session, row, data, caller)
    return entity_response(request, UNPUBLISHED.snapshot(row))


@router.post(
    "/{entity_id}/revert",
    response_model=Import,
    operation_id="revert_import",
    summary="Take an import back: delete what it created, restore what it changed",
)
async def revert_import(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
    """By a job. What somebody has changed since stays, and is told in `reverted`."""
    row = await IMPORTS.lock(session, entity_id)
    check_if_match(request, row.version)
    await usecases.revert_import(session, row, caller)
    return entity_response(request, UNPUBLISHED.snapshot(row))


@router.get(
    "/{entity_id}/rows",
    response_model=ImportedRows,
    operation_id="list_import_rows",
    summary="What became of each row, or in a dry run would",
)
async def list_rows(
    request: Request,
    entity_id: EntityPath,
    session: Reading,
    outcome: Annotated[Outcome | None, Query()] = None,
    problem: ProblemCode = None,
    limit: Annotated[int, Query(ge=1, le=pagination.MAX_LIMIT)] = pagination.DEFAULT_LIMIT,
    cursor: Annotated[str, Query(pattern=ROW_CURSOR)] = "",
) -> Response:
    row = await IMPORTS.get(session, entity_id)
    session.sights = None  # whoever sees an import sees what became of it
    after = tuple(int(part) for part in cursor.split("-")) if cursor else (0, 0)
    found = await results(session, row.id, WhichRows(outcome, problem), after=(after[0], after[1]), limit=limit + 1)
    page = found[:limit]
    next_cursor = f"{page[-1].row}-{page[-1].place}" if len(found) > limit else None
    told = [
        ImportedRow(
            row=each.row,
            outcome=each.outcome,
            resource=each.resource,
            id=each.entity_id,
            version=each.version,
            problem=each.problem,
            reverted=each.reverted,
        )
        for each in page
    ]
    headers = next_link(request, next_cursor)
    return json_response(request, ImportedRows(data=told, next_cursor=next_cursor), headers=headers)


@router.get(
    "/{entity_id}/rows.csv",
    operation_id="download_import_rows",
    summary="Download the file's rows with what became of each",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def download_rows(
    request: Request,
    entity_id: EntityPath,
    session: Reading,
    caller: Caller,
    outcome: Annotated[Outcome | None, Query()] = None,
    problem: ProblemCode = None,
) -> Response:
    """As CSV in UTF-8. What is mended in it can be imported as it is: the columns that were added mean nothing then."""
    row = await IMPORTS.get(session, entity_id)
    database: Database = request.app.state.database
    assert caller.tenant_id is not None, "an import is a tenant's"
    lines: AsyncIterator[bytes] = result_lines(database, caller.tenant_id, row, WhichRows(outcome, problem))
    headers = {"Content-Disposition": f'attachment; filename="{row.id}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
