"""The shortest way to an answer, for the few operations that every screen begins with. Pure ASGI, around the application.

A fast route answers the usual request, and leaves each other one to the application behind it: whoever looks for what an
operation does reads its ordinary route. Both answer alike, headers included.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal, NamedTuple, Self

import structlog
from starlette.datastructures import State
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from crm_kit import context
from crm_kit.errors import InternalError, Problem, Text, Unavailable
from crm_kit.http import etag
from crm_kit.http.lifecycle import STOPPED
from crm_kit.http.middleware import TENANT, request_id_of
from crm_kit.http.origin import CHAIN_HEADERS, OriginOf
from crm_kit.http.problems import problem_response
from crm_kit.http.protocol import ADDED, EXCHANGE, NOTHING, Added, answer_whole
from crm_kit.observability import tracing
from crm_kit.observability.requests import RequestRecorder

Headers = list[tuple[bytes, bytes]]

log = structlog.get_logger("crm")


class FastRequest:
    """`headers`: by their lower-case names; a request that repeats one is not for the fast path.

    `answered`: headers of the answer, whatever it is. `taken`: its body, once it was read.
    """

    __slots__ = (
        "_origin_of",
        "_receive",
        "answered",
        "headers",
        "request_id",
        "scope",
        "state",
        "taken",
        "trace",
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        headers: Mapping[bytes, bytes],
        state: State,
        origin_of: OriginOf,
    ) -> None:
        self.scope = scope
        self._receive = receive
        self.headers = headers
        self.state = state
        self.trace = tracing.of_request(_text(headers.get(b"traceparent")))
        self.request_id = request_id_of(_text(headers.get(b"x-request-id")), self.trace)
        self.answered: Headers = []
        self.taken: bytes | None = None
        self._origin_of = origin_of

    @property
    def key(self) -> str:
        """The last segment of the path."""
        path: str = self.scope["path"]
        return path.rpartition("/")[2]

    async def body(self) -> bytes:
        """The whole body. From then on an error is the answer, too. Raises ClientDisconnect."""
        self.taken = b""
        parts: list[bytes] = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                self.taken = b"".join(parts)
                return self.taken

    @property
    def receive(self) -> Receive:
        """For whoever answers in its place: the body once more, where it was read."""
        return self._receive if self.taken is None else self._once_more

    async def _once_more(self) -> Message:
        body, self.taken = self.taken, None
        return await self._receive() if body is None else {"type": "http.request", "body": body, "more_body": False}

    def context(self) -> context.Context:
        """As the application would have it."""
        origin = self._origin_of(self.scope)
        return context.Context(
            self.trace,
            self.request_id,
            address=origin.address,
            user_agent=origin.user_agent,
            chain=origin.chain,
        )


class FastAnswer(NamedTuple):
    """`stream`: sent in place of the body; its length is then in the headers, or nobody knows it."""

    status: int
    headers: Headers
    body: bytes
    stream: AsyncIterator[bytes] | None = None

    @classmethod
    def of(cls, response: Response) -> Self:
        return cls(response.status_code, list(response.raw_headers), bytes(response.body))

    @classmethod
    def of_version(cls, request: FastRequest, version: int, body: Callable[[], bytes]) -> Self:
        """A representation in JSON with its ETag; 304 where the client has it. Raises InvalidEntityTags."""
        unchanged = cls.not_modified(request, version)
        if unchanged is not None:
            return unchanged
        tag = etag.entity_tag(version).encode()
        return cls(HTTPStatus.OK, [(b"content-type", b"application/json"), (b"etag", tag)], body())

    @classmethod
    def not_modified(cls, request: FastRequest, version: int) -> Self | None:
        """304 where the client has this version. Raises InvalidEntityTags."""
        known = request.headers.get(b"if-none-match")
        if known is None:
            return None
        tag = etag.entity_tag(version).encode()
        # Proxies that compress weaken it.
        if known not in (tag, b"W/" + tag) and etag.if_none_match(known.decode("latin-1"), version):
            return None
        return cls(HTTPStatus.NOT_MODIFIED, [(b"etag", tag)], b"")


_NEVER_WITH: Final = frozenset({b"transfer-encoding", b"range", b"expect", b"upgrade"}) | CHAIN_HEADERS

_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

FastHandler = Callable[[FastRequest], Awaitable[FastAnswer | None]]
"""None, or any error but a Problem: the application answers, as if nobody had tried."""


@dataclass(frozen=True, slots=True)
class FastRoute:
    """`record`: GET `<prefix>/<key>` without a query and without a body. `creation`: POST at the prefix itself, without a query.
    `change`: PATCH `<prefix>/<key>`, without a query. `whole`: everything at the prefix and below it.

    `path`: the ordinary route's, for the metrics. `not_with`: headers with which a request is not the usual one.
    """

    prefix: str
    path: str
    handler: FastHandler
    not_with: frozenset[bytes] = frozenset()
    kind: Literal["record", "creation", "change", "whole"] = "record"

    def __post_init__(self) -> None:
        never = _NEVER_WITH | {b"content-length"} if self.kind == "record" else _NEVER_WITH
        object.__setattr__(self, "not_with", self.not_with | never)


class FastPath:
    """`app`: what answers everything else. `is_open`: whether this process takes requests as usual; `is_ending`: whether it
    was asked to end.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        routes: Iterable[FastRoute],
        state: State,
        origin_of: OriginOf,
        max_body_bytes: int,
        is_ending: Callable[[], bool],
        is_open: Callable[[], bool],
    ) -> None:
        self._app = app
        self._recorder = RequestRecorder(service)
        known = list(routes)
        self._records = {route.prefix: route for route in known if route.kind == "record"}
        self._creations = {route.prefix: route for route in known if route.kind == "creation"}
        self._changes = {route.prefix: route for route in known if route.kind == "change"}
        self._whole = {route.prefix.encode(): route for route in known if route.kind == "whole"}
        self._state = state
        self._origin_of = origin_of
        self._max_body_bytes = max_body_bytes
        self._is_ending = is_ending
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        exchange = scope.pop(EXCHANGE, None)
        route = self._route(scope) if scope["type"] == "http" and self._is_open() else None
        if route is not None:
            headers = dict(scope["headers"])
            if self._is_usual(scope, headers, route):
                request = FastRequest(scope, receive, headers, self._state, self._origin_of)
                try:
                    answer = await self._ask(route, request)
                except ClientDisconnect:
                    return
                if answer is not None:
                    await _send(request, answer, exchange, send)
                    self._recorder.record(
                        method=scope["method"],
                        route=route.path,
                        status=answer.status,
                        seconds=time.perf_counter() - began,
                        request_id=request.request_id,
                        trace=request.trace,
                        tenant_id=scope.get(TENANT),
                    )
                    return
                receive = request.receive
        await self._app(scope, receive, send)

    def _route(self, scope: Scope) -> FastRoute | None:
        route, path = None, scope["path"]
        if not scope["query_string"]:
            match scope["method"]:
                case "GET":
                    route = self._records.get(path.rpartition("/")[0])
                case "POST":
                    route = self._creations.get(path)
                case "PATCH":
                    route = self._changes.get(path.rpartition("/")[0])
        if route is None and self._whole:
            route = self._whole.get(b"/".join(scope["raw_path"].split(b"/", 3)[:3]))
        return route

    def _is_usual(self, scope: Scope, headers: Mapping[bytes, bytes], route: FastRoute) -> bool:
        if len(headers) != len(scope["headers"]) or not route.not_with.isdisjoint(headers):
            return False
        length = headers.get(b"content-length")
        return length is None or (length.isdigit() and int(length) <= self._max_body_bytes)

    async def _ask(self, route: FastRoute, request: FastRequest) -> FastAnswer | None:
        try:
            return await route.handler(request)
        except Problem as problem:
            return _told(problem, request)
        except ClientDisconnect:
            raise
        except asyncio.CancelledError:
            if not self._is_ending():
                raise
            # uvicorn cancels what outlasts the grace period, and would answer 500 in plain text.
            return _told(Unavailable(STOPPED, headers={"Retry-After": "1"}), request)
        except Exception:
            if request.taken is None:  # it will come again where it is told as it should be
                return None
            log.exception("unhandled_error", route=route.path)
            return _told(InternalError(Text("The error has been logged.", "错误已记录。")), request)


def _told(problem: Problem, request: FastRequest) -> FastAnswer:
    with context.use(request.context()):
        response = problem_response(problem, request.scope)
    return FastAnswer.of(response)


async def _send(request: FastRequest, answer: FastAnswer, exchange: RequestResponseCycle | None, send: Send) -> None:
    status, headers, body, stream = answer
    headers += request.answered
    headers.append((b"x-request-id", request.request_id.encode()))
    headers.append((b"traceparent", request.trace.traceparent.encode()))
    said = {name for name, _ in headers}
    if stream is None and status not in _WITHOUT_BODY and b"content-length" not in said:
        headers.append((b"content-length", b"%d" % len(body)))
    added: Added = request.scope.get(ADDED, NOTHING)
    if stream is None and exchange is not None and answer_whole(exchange, status, headers, body, added.lines(said)):
        return
    headers += added.missing(said)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if stream is not None:
        async for chunk in stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": body})


def _text(value: bytes | None) -> str:
    return value.decode("latin-1") if value is not None else ""
