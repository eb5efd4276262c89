"""Problems: what goes wrong, as the client reads it (RFC 9457).

    Problem
    ├── MalformedRequest        400
    │   └── InvalidCursor       400
    ├── Unauthenticated         401
    ├── Forbidden               403
    ├── NotFound                404
    ├── MethodNotAllowed        405
    ├── Conflict                409
    │   └── RequestInProgress   409
    ├── PreconditionFailed      412
    ├── BodyTooLarge            413
    ├── UnsupportedMediaType    415
    ├── ValidationFailed        422
    │   └── IdempotencyKeyReused 422
    ├── TooManyRequests         429
    ├── InternalError           500
    ├── UpstreamFailed          502
    └── Unavailable             503

A feature's own errors subclass the nearest of these and set `code` and `title`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple


class Text(NamedTuple):
    """A sentence in English and in simplified Chinese."""

    en: str
    zh: str

    def get(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in the input; `pointer` is a JSON Pointer (RFC 6901) into the body, or `?name` for a parameter."""

    pointer: str
    code: str
    detail: Text

    def below(self, prefix: str) -> "FieldError":
        return FieldError(prefix + self.pointer, self.code, self.detail)


@dataclass(frozen=True, slots=True)
class _Extras:
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, object] = field(default_factory=dict)


class Problem(Exception):
    """Base of everything that a client is told went wrong. `members` are added to the body."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[Text] = Text("Internal error", "内部错误")

    def __init__(
        self,
        detail: Text | None = None,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail.en if detail else self.title.en)
        self.detail = detail
        self.errors = tuple(errors)
        self._extras = _Extras(headers or {}, members or {})

    @property
    def headers(self) -> Mapping[str, str]:
        return self._extras.headers

    @property
    def members(self) -> Mapping[str, object]:
        return self._extras.members

    def body(
        self, language: str = "en", *, instance: str | None = None, trace_id: str | None = None
    ) -> dict[str, object]:
        """The `application/problem+json` members."""
        body: dict[str, object] = {
            "type": f"/problems/{self.code}",
            "title": self.title.get(language),
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            body["detail"] = self.detail.get(language)
        if instance is not None:
            body["instance"] = instance
        if trace_id is not None:
            body["trace_id"] = trace_id
        if self.errors:
            body["errors"] = [
                {"pointer": error.pointer, "code": error.code, "detail": error.detail.get(language)}
                for error in self.errors
            ]
        return {**body, **self.members}


class MalformedRequest(Problem):
    status = 400
    code = "malformed_request"
    title = Text("The request could not be read", "无法解析请求")


class InvalidCursor(MalformedRequest):
    code = "invalid_cursor"
    title = Text("The cursor is not valid for this list", "游标对该列表无效")


class Unauthenticated(Problem):
    status = 401
    code = "unauthenticated"
    title = Text("Authentication is needed", "需要身份验证")


class Forbidden(Problem):
    status = 403
    code = "forbidden"
    title = Text("This credential lacks a permission", "该凭证缺少权限")


class NotFound(Problem):
    status = 404
    code = "not_found"
    title = Text("There is nothing at this address", "该地址下没有内容")


class MethodNotAllowed(Problem):
    status = 405
    code = "method_not_allowed"
    title = Text("This address does not take that method", "该地址不支持此方法")


class Conflict(Problem):
    status = 409
    code = "conflict"
    title = Text("The request conflicts with the present state", "请求与当前状态冲突")


class RequestInProgress(Conflict):
    code = "request_in_progress"
    title = Text("A request with this idempotency key is still running", "使用该幂等键的请求仍在处理中")


class PreconditionFailed(Problem):
    status = 412
    code = "precondition_failed"
    title = Text("The resource has changed since it was read", "资源自读取后已被修改")


class BodyTooLarge(Problem):
    status = 413
    code = "body_too_large"
    title = Text("The request body is too large", "请求体过大")


class UnsupportedMediaType(Problem):
    status = 415
    code = "unsupported_media_type"
    title = Text("The content type is not supported here", "不支持该内容类型")


class ValidationFailed(Problem):
    status = 422
    code = "validation_failed"
    title = Text("The input is not valid", "输入无效")


class IdempotencyKeyReused(ValidationFailed):
    code = "idempotency_key_reused"
    title = Text("The idempotency key was used with another request", "该幂等键已用于另一个请求")


class TooManyRequests(Problem):
    status = 429
    code = "too_many_requests"
    title = Text("Too many requests", "请求过于频繁")


class InternalError(Problem):
    status = 500
    code = "internal_error"
    title = Text("Something went wrong on our side", "服务器内部出错")


class UpstreamFailed(Problem):
    status = 502
    code = "upstream_failed"
    title = Text("A service behind the gateway answered badly", "网关后的服务响应异常")


class Unavailable(Problem):
    status = 503
    code = "unavailable"
    title = Text("The service cannot answer just now", "服务暂时不可用")


def problem_classes() -> Iterator[type[Problem]]:
    """Every problem class that is imported, by code, each code once."""
    seen: dict[str, type[Problem]] = {}
    pending: list[type[Problem]] = [Problem]
    while pending:
        kind = pending.pop()
        seen.setdefault(kind.code, kind)
        pending.extend(kind.__subclasses__())
    yield from (seen[code] for code in sorted(seen))
