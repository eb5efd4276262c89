"""Lists and searches: conditions, sort and keyset pages over a resource's rows."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from crm_contracts.types import Entity, Input
from fastapi import Request
from sqlalchemy import ColumnElement, Select, select

from crm_kit.conditions import (
    CheckedCondition,
    FieldSet,
    InvalidCondition,
    comparisons_in,
    compile_condition,
    is_guessed,
    named_fields,
    parse,
    parse_equality,
)
from crm_kit.db.models import EntityRow, utc_now
from crm_kit.db.session import ReadSession
from crm_kit.errors import FieldError, InvalidCursor, Problem, Text, ValidationFailed
from crm_kit.http import pagination, searching
from crm_kit.keyring import Keyring
from crm_kit.resources import access
from crm_kit.resources.resource import Resource
from crm_kit.resources.schemas import Page, SearchBody

RowT = TypeVar("RowT", bound=EntityRow)
WriteT = TypeVar("WriteT", bound=Input)
EntityT = TypeVar("EntityT", bound=Entity)

_PAGING = ("limit", "cursor", "sort")

INCLUDE: Final = "include"
"""Of the field by which a resource leaves records out: all of them are asked for."""


async def list_page(
    session: ReadSession,
    resource: Resource[RowT, WriteT, EntityT],
    request: Request,
    within: ColumnElement[bool] | None = None,
) -> Page[EntityT]:
    """The page that the query string asks for, of the rows `within` a sub-resource if that is given."""
    query = request.query_params
    filters = [(name, value) for name, value in query.multi_items() if name not in _PAGING]
    sort = query.get("sort") or resource.default_sort
    fields = await resource.fields_in(session, [*(name for name, _ in filters), *sorted_by(sort.split(","))])
    tested = [each for each in filters if each != (resource.left_out, INCLUDE)]
    if any(name == resource.left_out and value not in ("true", "false") for name, value in tested):
        text = Text(f"Must be true, false or {INCLUDE}", f"必须是 true、false 或 {INCLUDE}")
        raise ValidationFailed(text, errors=[FieldError(f"?{resource.left_out}", "choice", text)])
    try:
        condition = parse_equality(tested, fields)
    except InvalidCondition as error:
        raise condition_problem(error, query=True) from error
    limit = query.get("limit")
    if limit is not None and not (limit.isascii() and limit.isdigit() and len(limit) < 10):
        raise page_problem(pagination.InvalidLimit("The limit is a number from 1 to 200."), "?")
    return await _page(
        session,
        resource,
        condition,
        # A sub-resource's rows are one more filter, and its path names them.
        filters=[request.url.path if within is not None else "", *sorted(filters)],
        fields=fields,
        sort=sort,
        limit=int(limit) if limit else pagination.DEFAULT_LIMIT,
        cursor=query.get("cursor") or None,
        keyring=request.app.state.settings.keyring,
        within=within,
        pointer="?",
        asks_for_all=len(tested) < len(filters),
    )


async def search_page(
    session: ReadSession, resource: Resource[RowT, WriteT, EntityT], body: SearchBody, request: Request
) -> Page[EntityT]:
    """The page that the body asks for."""
    condition = None
    sort = body.sort or resource.default_sort
    fields = await resource.fields_in(session, [*named_fields(body.where), *sorted_by(body.sort)])
    if body.where is not None:
        try:
            condition = parse(body.where, fields, "/where")
        except InvalidCondition as error:
            raise condition_problem(error) from error
    return await _page(
        session,
        resource,
        condition,
        filters=body.where,
        fields=fields,
        sort=sort,
        limit=body.limit,
        cursor=body.cursor,
        keyring=request.app.state.settings.keyring,
    )


def sorted_by(names: Iterable[str]) -> Iterator[str]:
    return (name.strip().removeprefix("-") for name in names)


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The Link header (RFC 8288) of the next page, relative to this server."""
    if cursor is None:
        return {}
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return {"Link": f'<{request.url.path}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'}


async def _page(
    session: ReadSession,
    resource: Resource[RowT, WriteT, EntityT],
    condition: CheckedCondition | None,
    *,
    filters: object,
    fields: FieldSet,
    sort: str | list[str],
    limit: int,
    cursor: str | None,
    keyring: Keyring,
    within: ColumnElement[bool] | None = None,
    pointer: str = "/",
    asks_for_all: bool = False,
) -> Page[EntityT]:
    try:
        keys = pagination.parse_sort(sort, fields)
        tested = [*(test.field for test in comparisons_in(condition)), *(key.field for key in keys)]
        statement: Any = select(resource.row).where(await access.reached(session, resource, tested))
        if within is not None:
            statement = statement.where(within)
        if not asks_for_all:
            statement = left_in(resource, statement, condition)
        wanted = pagination.PageRequest(keys, limit, cursor)
        cursors = pagination.Cursors(keyring, tenant_id=session.tenant_id, resource=resource.plural, filters=filters)
        page = await _fetch(session, statement, condition, wanted, cursors)
    except pagination.PaginationError as error:
        raise page_problem(error, pointer) from error
    await access.look_at(session, resource, [row.id for row in page.rows])
    return Page(data=[resource.events.snapshot(row) for row in page.rows], next_cursor=page.next_cursor)


def left_in(
    resource: Resource[Any, Any, Any], statement: Select[Any], condition: CheckedCondition | None
) -> Select[Any]:
    """Without the records that the resource leaves out, unless the condition asks by that field."""
    field = resource.fields.get(resource.left_out) if resource.left_out is not None else None
    if field is None or field.column is None or any(test.field is field for test in comparisons_in(condition)):
        return statement
    return statement.where(~field.column)


async def _fetch(
    session: ReadSession,
    statement: Any,
    condition: CheckedCondition | None,
    wanted: pagination.PageRequest,
    cursors: pagination.Cursors,
) -> pagination.Page[Any]:
    await session.plan_anew()  # what one owner or one tag has by the thousand another has once
    if condition is None:
        return await pagination.fetch_page(session, statement, wanted, cursors)
    now = utc_now()
    holds = compile_condition(condition, now=now)
    if not is_guessed(condition):
        return await pagination.fetch_page(session, statement.where(holds), wanted, cursors)
    search = searching.Search(holds, by_grams=compile_condition(condition, now=now, by_grams=True))
    return await searching.fetch_found(session, statement, wanted, cursors, search)


def condition_problem(error: InvalidCondition, *, query: bool = False) -> ValidationFailed:
    """Every fault of a condition with its place."""
    faults = [
        FieldError(
            f"?{fault.pointer.removeprefix('/')}" if query else fault.pointer,
            str(fault.code),
            Text(fault.detail, f"{_CHINESE.get(str(fault.code), '条件无效')}：{fault.detail}"),
        )
        for fault in error.errors
    ]
    return ValidationFailed(Text("The condition is not valid; see errors.", "条件无效，见 errors。"), errors=faults)


_CHINESE = {
    "unknown_field": "未知字段",
    "unknown_operator": "未知运算符",
    "type_mismatch": "类型不匹配",
    "too_complex": "条件过于复杂",
    "malformed": "条件格式错误",
}


def page_problem(error: pagination.PaginationError, pointer: str) -> Problem:
    if isinstance(error, pagination.InvalidCursor):
        return InvalidCursor(Text(error.detail, "游标无效或属于另一个列表；请去掉游标重新开始。"))
    name, chinese = {
        "invalid_limit": ("limit", "limit 必须是 1 至 200 的整数"),
        "invalid_sort": ("sort", "排序字段无效"),
        "repeated_sort": ("sort", "排序字段重复"),
    }[error.code]
    text = Text(error.detail, chinese)
    return ValidationFailed(text, errors=[FieldError(f"{pointer}{name}", error.code, text)])
