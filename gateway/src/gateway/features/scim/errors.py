"""What goes wrong, as SCIM tells it (RFC 7644, section 3.12)."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Final

from crm_kit.errors import Conflict, FieldError, MalformedRequest, Problem, Text, ValidationFailed
from crm_kit.http.problems import PROBLEM_SHAPE
from pydantic import ValidationError
from scim2_models import Error, SCIMException
from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.features.scim.schemas import MEDIA_TYPE, PREFIX
from gateway.features.users.errors import UserEmailTaken, UserExternalIdTaken

ERROR_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:Error"


class ScimRefused(MalformedRequest):
    """`scim_type` is the keyword that RFC 7644, table 9, has for it."""

    code = "scim_refused"
    title = Text("SCIM does not allow this request", "请求不符合 SCIM 规范")
    advice = Text("scimType names the kind of fault, detail the place.", "scimType 指明错误类型，detail 指明位置。")

    def __init__(self, scim_type: str | None, detail: Text) -> None:
        super().__init__(detail, members={"scimType": scim_type} if scim_type else None)
        self.scim_type = scim_type


def refused(scim_type: str | None, detail: str) -> ScimRefused:
    """With the library's own words, which are English."""
    return ScimRefused(scim_type, Text(detail, f"{_CHINESE.get(scim_type or '', '请求无效')}：{detail}"))


@contextmanager
def refusals() -> Iterator[None]:
    """Turns what the library raises within into ScimRefused."""
    try:
        yield
    except ValidationError as error:
        raise _of(error) from error
    except SCIMException as error:
        if isinstance(error.__cause__, ValidationError):
            raise _of(error.__cause__) from error
        raise refused(error.scim_type or None, error.detail) from error


def _of(error: ValidationError) -> ScimRefused:
    first = Error.from_validation_error(error.errors(include_url=False)[0])
    return refused(first.scim_type, first.detail or "")


def scim_shape(problem: Problem, language: str) -> tuple[int, str, dict[str, object]]:
    """For `crm_kit.http.problems`: status, media type and body. SCIM knows no 422: its word for it is 400."""
    status = 400 if isinstance(problem, ValidationFailed) else problem.status
    body: dict[str, object] = {"schemas": [ERROR_SCHEMA], "status": str(status)}
    if scim_type := _scim_type(problem):
        body["scimType"] = scim_type
    return status, MEDIA_TYPE, {**body, "detail": _detail(problem, language)}


def _detail(problem: Problem, language: str) -> str:
    if problem.errors:
        return " ".join(_told(fault, language) for fault in problem.errors)
    title, detail = problem.title.get(language), problem.detail
    if isinstance(problem, Conflict) and detail:
        return f"{title}: {detail.get(language)}"
    return (detail or problem.title).get(language)


def _scim_type(problem: Problem) -> str | None:
    match problem:
        case ScimRefused():
            return problem.scim_type
        case UserEmailTaken() | UserExternalIdTaken():
            return "uniqueness"
        case Conflict():
            return "uniqueness" if type(problem) is Conflict else None
        case ValidationFailed():
            return "invalidValue"
        case MalformedRequest():
            return "invalidSyntax"
        case _:
            return None


def _told(fault: FieldError, language: str) -> str:
    name, detail = _NAMES.get(fault.pointer, fault.pointer.removeprefix("/")), fault.detail.get(language).rstrip(".")
    return f"{name}: {detail}." if name else f"{detail}."


_NAMES: Final = {
    "/email": "userName, which is the user's address here",
    "/name": "displayName",
    "/language": "preferredLanguage",
    "/external_id": "externalId",
}
"""Members of users and teams by the attributes that clients of SCIM wrote."""

_CHINESE: Final = {
    "invalidFilter": "筛选条件无效",
    "invalidPath": "路径无效",
    "invalidSyntax": "请求格式无效",
    "invalidValue": "值无效",
    "mutability": "该属性不可修改",
    "noTarget": "路径没有匹配的目标",
    "tooMany": "结果过多",
}


_BELOW: Final = f"{PREFIX}/"


class ScimErrors:
    """Middleware: below SCIM's prefix every error has SCIM's shape, whoever raises it."""

    def __init__(self, app: ASGIApp, _state: State) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["path"].startswith(_BELOW):
            scope[PROBLEM_SHAPE] = scim_shape
        return self._app(scope, receive, send)
