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

A feature's own errors subclass the nearest of these and set `code` and `title`, and `advice` where they know better.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple


class Text(NamedTuple):
    """A sentence in English and in simplified Chinese."""

    en: str
    zh: str

    def get(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in the input; `pointer` is a JSON Pointer (RFC 6901) into the body, or `?name` for a parameter.

    `rule_id`: of the rule that it breaks, where the tenant has set it.
    """

    pointer: str
    code: str
    detail: Text
    rule_id: str | None = None

    def below(self, prefix: str) -> "FieldError":
        return replace(self, pointer=prefix + self.pointer)

    def body(self, language: str) -> dict[str, object]:
        told: dict[str, object] = {"pointer": self.pointer, "code": self.code, "detail": self.detail.get(language)}
        return told if self.rule_id is None else {**told, "rule_id": self.rule_id}


@dataclass(frozen=True, slots=True)
class _Extras:
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, object] = field(default_factory=dict)


class Problem(Exception):
    """Base of everything that a client is told went wrong. `members` are added to the body.

    `advice` is what the page at `/problems/<code>` tells the reader to do.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[Text] = Text("Internal error", "内部错误")
    advice: ClassVar[Text] = Text("Report the trace_id.", "请反馈 trace_id。")

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
            body["errors"] = [error.body(language) for error in self.errors]
        return {**self.members, **body}


class MalformedRequest(Problem):
    status = 400
    code = "malformed_request"
    title = Text("The request could not be read", "无法解析请求")
    advice = Text(
        "Compare the request with the documentation, mend it, and send it again.",
        "请对照文档检查请求，修正后重新发送。",
    )


class InvalidCursor(MalformedRequest):
    code = "invalid_cursor"
    title = Text("The cursor is not valid for this list", "游标对该列表无效")
    advice = Text(
        "Leave the cursor out and start from the first page; keep filters and sort the same on all pages.",
        "请去掉游标从第一页重新开始；翻页时保持筛选与排序不变。",
    )


class Unauthenticated(Problem):
    status = 401
    code = "unauthenticated"
    title = Text("Authentication is needed", "需要身份验证")
    advice = Text(
        "Send a valid credential: Authorization: Bearer <API key>.",
        "请提供有效凭证：Authorization: Bearer <API 密钥>。",
    )


class Forbidden(Problem):
    status = 403
    code = "forbidden"
    title = Text("This credential lacks a permission", "该凭证缺少权限")
    advice = Text(
        "Use a credential that has the permission named in missing_permission, or ask for it.",
        "请使用具备 missing_permission 所示权限的凭证，或申请该权限。",
    )


class NotFound(Problem):
    status = 404
    code = "not_found"
    title = Text("There is nothing at this address", "该地址下没有内容")
    advice = Text(
        "Check the id and the address. What belongs to another tenant is not found either.",
        "请检查标识与地址；其他租户的内容同样视为不存在。",
    )


class UnknownLink(NotFound):
    """Not one of our links, expired, or of somebody of whom nothing is held any more: nobody is told which."""

    code = "unknown_link"
    title = Text("This link is not valid", "链接无效")
    advice = Text("Ask for a new one.", "请重新获取链接。")


class MethodNotAllowed(Problem):
    status = 405
    code = "method_not_allowed"
    title = Text("This address does not take that method", "该地址不支持此方法")
    advice = Text(
        "Use one of the methods that the Allow header names.",
        "请使用 Allow 头列出的方法。",
    )


class Conflict(Problem):
    status = 409
    code = "conflict"
    title = Text("The request conflicts with the present state", "请求与当前状态冲突")
    advice = Text(
        "Read the present state, decide again, and repeat the request if it still makes sense.",
        "请读取当前状态并重新判断，仍有必要时再次提交。",
    )


class RequestInProgress(Conflict):
    code = "request_in_progress"
    title = Text("A request with this idempotency key is still running", "使用该幂等键的请求仍在处理中")
    advice = Text(
        "Wait as long as Retry-After says and send the same request again.",
        "请按 Retry-After 等待后重新发送相同的请求。",
    )


class LoopDetected(Conflict):
    """A change follows from an event which follows from a change …: two systems answer one another without an end."""

    code = "loop_detected"
    title = Text("Two systems answer one another in a loop", "两个系统在循环地相互响应")
    advice = Text(
        "Do not write back what a webhook has told you: skip events whose actorid is yours, or name your key in skip_origins.",
        "请勿把 webhook 通知的内容再写回：跳过 actorid 为自身的事件，或在 skip_origins 中列出您的密钥。",
    )


class Merged(Problem):
    """It was merged into another record, which `merged_into` names."""

    status = 410
    code = "merged"
    title = Text("It has been merged into another record", "该记录已合并到其他记录")
    advice = Text("Use the record named in merged_into instead.", "请改用 merged_into 所示的记录。")


class Erased(Problem):
    """Of whom it told was erased, as they may ask for. Nothing more is known."""

    status = 410
    code = "erased"
    title = Text("The person has been erased", "该个人的信息已被删除")


class PreconditionFailed(Problem):
    status = 412
    code = "precondition_failed"
    title = Text("The resource has changed since it was read", "资源自读取后已被修改")
    advice = Text(
        "Read the resource again, apply the change to what it is now, and send the new ETag as If-Match.",
        "请重新读取资源，在最新状态上修改，并以新的 ETag 作为 If-Match 发送。",
    )


class BodyTooLarge(Problem):
    status = 413
    code = "body_too_large"
    title = Text("The request body is too large", "请求体过大")
    advice = Text(
        "Send less at once: split a batch, shorten a text.",
        "请减少单次发送的内容：拆分批次或缩短文本。",
    )


class UnsupportedMediaType(Problem):
    status = 415
    code = "unsupported_media_type"
    title = Text("The content type is not supported here", "不支持该内容类型")
    advice = Text(
        "Send the content type that the documentation names, mostly application/json.",
        "请使用文档规定的内容类型，通常为 application/json。",
    )


class ValidationFailed(Problem):
    status = 422
    code = "validation_failed"
    title = Text("The input is not valid", "输入无效")
    advice = Text(
        "Mend every fault listed under errors; its pointer says where.",
        "请修正 errors 中列出的每处错误，pointer 指明其位置。",
    )


class IdempotencyKeyReused(ValidationFailed):
    code = "idempotency_key_reused"
    title = Text("The idempotency key was used with another request", "该幂等键已用于另一个请求")
    advice = Text(
        "Make a new key for every new request; repeat a key only with the very same request.",
        "每个新请求使用新的键；仅在重发完全相同的请求时复用键。",
    )


class TooManyRequests(Problem):
    status = 429
    code = "too_many_requests"
    title = Text("Too many requests", "请求过于频繁")
    advice = Text(
        "Wait as long as Retry-After says; read RateLimit to stay below the limit.",
        "请按 Retry-After 等待，并依据 RateLimit 控制频率。",
    )


class InternalError(Problem):
    status = 500
    code = "internal_error"
    title = Text("Something went wrong on our side", "服务器内部出错")
    advice = Text(
        "Try again with the same Idempotency-Key; if it stays, report the trace_id.",
        "请使用相同的 Idempotency-Key 重试；如仍失败，请反馈 trace_id。",
    )


class UpstreamFailed(Problem):
    status = 502
    code = "upstream_failed"
    title = Text("A service behind the gateway answered badly", "网关后的服务响应异常")
    advice = Text(
        "Try again with the same Idempotency-Key; if it stays, report the trace_id.",
        "请使用相同的 Idempotency-Key 重试；如仍失败，请反馈 trace_id。",
    )


class Unavailable(Problem):
    status = 503
    code = "unavailable"
    title = Text("The service cannot answer just now", "服务暂时不可用")
    advice = Text(
        "Try again after Retry-After seconds with the same Idempotency-Key.",
        "请在 Retry-After 秒后使用相同的 Idempotency-Key 重试。",
    )


def problem_classes() -> Iterator[type[Problem]]:
    """Every problem class that is imported, by code, each code once."""
    seen: dict[str, type[Problem]] = {}
    pending: list[type[Problem]] = [Problem]
    while pending:
        kind = pending.pop()
        seen.setdefault(kind.code, kind)
        pending.extend(kind.__subclasses__())
    yield from (seen[code] for code in sorted(seen))
