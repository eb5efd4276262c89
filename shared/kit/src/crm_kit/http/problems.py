"""From any failure to `application/problem+json`, in the reader's language."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from crm_kit import context, errors
from crm_kit.db.connecting import TENANT_HELD
from crm_kit.errors import FieldError, Problem, Text
from crm_kit.http.messages import describe
from crm_kit.tenants.errors import tenant_read_only

PROBLEM_TYPE = "application/problem+json"

PROBLEM_SHAPE = "crm_problem_shape"
"""In the scope: a ProblemShape, on paths whose standard has an error format of its own."""

ProblemShape = Callable[[Problem, str], tuple[int, str, dict[str, object]]]
"""Status, media type and body of a problem in a language."""

_BY_STATUS: Mapping[int, type[Problem]] = {
    400: errors.MalformedRequest,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    409: errors.Conflict,
    412: errors.PreconditionFailed,
    413: errors.BodyTooLarge,
    415: errors.UnsupportedMediaType,
    422: errors.ValidationFailed,
    429: errors.TooManyRequests,
    503: errors.Unavailable,
}


def preferred_language(accept_language: str) -> str:
    """`zh` or `en`, whichever Accept-Language (RFC 9110 §12.5.4) ranks higher; English where it names neither."""
    best, best_quality = "en", 0.0
    for item in accept_language.split(","):
        tag, _, parameters = item.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        if primary not in ("en", "zh"):
            continue
        try:
            quality = float(parameters.strip().removeprefix("q=")) if parameters else 1.0
        except ValueError:
            continue
        if quality > best_quality:
            best, best_quality = primary, quality
    return best


def problem_response(problem: Problem, scope: Scope) -> Response:
    here = context.current()
    language = preferred_language(Headers(scope=scope).get("accept-language", ""))
    status, media_type = problem.status, PROBLEM_TYPE
    if shape := scope.get(PROBLEM_SHAPE):
        status, media_type, body = shape(problem, language)
    else:
        body = problem.body(language, instance=scope.get("path"), trace_id=here.trace.trace_id if here else None)
    headers = {
        **problem.headers,
        "Content-Language": "zh-CN" if language == "zh" else "en",
        "Vary": "Accept-Language",
    }
    content = orjson.dumps(body, default=str)
    return Response(content, status_code=status, headers=headers, media_type=media_type)


def json_pointer(parts: Iterable[object]) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def field_errors(details: Iterable[Mapping[str, Any]]) -> tuple[FieldError, ...]:
    """Pydantic's error details as ours; the branches of unions do not show in the pointer."""
    found: dict[tuple[str, str], FieldError] = {}
    for detail in details:
        code, message = describe(detail)
        location = list(detail["loc"])
        where = location.pop(0) if location and location[0] in ("body", "query", "path", "header", "cookie") else "body"
        if where == "body":
            pointer = json_pointer(part for part in location if not _is_union_branch(part))
        else:
            pointer = f"?{location[0]}" if where == "query" and location else json_pointer([where, *location])
        found.setdefault((pointer, code), FieldError(pointer, code, message))
    return tuple(found.values())


def _is_union_branch(part: object) -> bool:
    return isinstance(part, str) and ("[" in part or part in _BRANCHES)


_BRANCHES = frozenset({"str", "int", "float", "bool", "constrained-str", "constrained-int", "none"})


def validation_problem(details: Iterable[Mapping[str, Any]]) -> errors.ValidationFailed:
    found = field_errors(details)
    return errors.ValidationFailed(
        Text(f"{len(found)} fault(s) in the input; see errors.", f"输入中有 {len(found)} 处错误，见 errors。"),
        errors=found,
    )


def install(app: FastAPI) -> None:
    """Registers the handlers. Starlette's own exceptions too: FastAPI raises them for unreadable bodies."""

    async def on_problem(request: Request, problem: Problem) -> Response:
        return problem_response(problem, request.scope)

    async def on_validation(request: Request, error: RequestValidationError) -> Response:
        return problem_response(validation_problem(error.errors()), request.scope)

    async def on_http(request: Request, error: HTTPException) -> Response:
        kind = _BY_STATUS.get(
            error.status_code, errors.InternalError if error.status_code >= 500 else errors.MalformedRequest
        )
        headers = error.headers if kind is not errors.MethodNotAllowed else {"Allow": ", ".join(_methods_at(request))}
        return problem_response(kind(headers=headers), request.scope)

    async def on_database(request: Request, error: Exception) -> Response:
        problem = database_problem(error)
        if problem is None:
            raise error
        return problem_response(problem, request.scope)

    app.add_exception_handler(Problem, on_problem)  # type: ignore[arg-type]  # Starlette types handlers by Exception
    app.add_exception_handler(RequestValidationError, on_validation)  # type: ignore[arg-type]  # as above
    app.add_exception_handler(HTTPException, on_http)  # type: ignore[arg-type]  # as above
    for kind in DATABASE_ERRORS:
        app.add_exception_handler(kind, on_database)


DATABASE_ERRORS = (DBAPIError, PoolTimeout, ConnectionError, TimeoutError)
"""What `database_problem` knows."""


def database_problem(error: Exception) -> Problem | None:
    """What a client is told of an error of the database's; None where it is a fault of ours."""
    if isinstance(error, DBAPIError) and _is_conflict(error):
        return errors.Conflict(
            Text("Another request has just taken what must be unique.", "另一请求刚刚占用了必须唯一的值。")
        )
    if _state(error) == TENANT_HELD:
        return tenant_read_only()
    if isinstance(error, DBAPIError) and not _is_unavailable(error):
        return None
    if _state(error) in _COLLISIONS:
        text = Text("Another request held what this one needs; try again.", "另一请求占用了所需的数据，请重试。")
    else:
        text = Text("The database does not answer; try again.", "数据库暂无响应，请重试。")
    return errors.Unavailable(text, headers={"Retry-After": "1"})


def _methods_at(request: Request) -> list[str]:
    """What this address takes. Starlette names only the first route's methods, and each of ours has one."""

    def takes(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)

    return [method for method in _METHODS if takes(method)]


_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def _is_conflict(error: DBAPIError) -> bool:
    """Unique, foreign key or exclusion constraints: two requests raced past each other's checks."""
    return getattr(error.orig, "sqlstate", None) in ("23505", "23503", "23P01")


def _is_unavailable(error: DBAPIError) -> bool:
    state = _state(error)
    return error.connection_invalidated or state[:2] in ("08", "57", "53") or state in _COLLISIONS


_COLLISIONS = ("40001", "40P01", "55P03")
"""Serialisation failure, deadlock, lock not available: nothing was done, and the same request may succeed."""


def _state(error: Exception) -> str:
    """PostgreSQL's SQLSTATE, or nothing."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
