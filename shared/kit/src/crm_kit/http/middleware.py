"""One pure ASGI middleware around every application: context, limits, metrics, the access log, the last resort.

Pure ASGI because Starlette's BaseHTTPMiddleware breaks context variables and cancellation.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crm_kit import context
from crm_kit.errors import BodyTooLarge, InternalError, LoopDetected, Text
from crm_kit.http.lifecycle import OPERATIONS
from crm_kit.http.origin import MAX_HOPS, OriginOf
from crm_kit.http.problems import problem_response
from crm_kit.observability import tracing
from crm_kit.observability.requests import RequestRecorder

RESPONSE_HEADERS = "crm_response_headers"
"""In the scope: headers that whatever answers this request must carry, an error's answer too."""

TENANT = "crm_tenant"
"""In the scope: whose request it is, once that is known."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def request_id_of(given: str, trace: context.Trace) -> str:
    """The client's own where it is one, else a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else f"req-{trace.span_id}{trace.trace_id[:8]}"


class KitMiddleware:
    """`plain_paths`: by endpoint, those of the routes that are not FastAPI's, which leave no word of themselves in the scope."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        max_body_bytes: Callable[[Scope], int],
        origin_of: OriginOf,
        plain_paths: Mapping[object, str],
    ) -> None:
        self._app = app
        self.plain_paths = plain_paths
        self._origin_of = origin_of
        self.recorder = RequestRecorder(service)
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        trace = tracing.of_request(headers.get("traceparent"))
        origin = self._origin_of(scope)
        here = context.Context(
            trace,
            request_id_of(headers.get("x-request-id", ""), trace),
            address=origin.address,
            user_agent=origin.user_agent,
            chain=origin.chain,
        )
        with context.use(here):
            await _Exchange(self, here, scope, receive, send).run()

    async def run_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class _Exchange:
    """One request and its answer."""

    def __init__(self, owner: KitMiddleware, here: context.Context, scope: Scope, receive: Receive, send: Send) -> None:
        self._owner = owner
        self._here = here
        self._scope = scope
        self._receive = receive
        self._send = send
        self._started = time.perf_counter()
        self._status = 0
        self._received = 0
        self._limit = owner.max_body_bytes(scope)
        self._extra: dict[str, str] = {}
        scope[RESPONSE_HEADERS] = self._extra

    async def run(self) -> None:
        length = Headers(scope=self._scope).get("content-length", "")
        try:
            if length.isdecimal() and int(length) > self._limit:
                raise self._too_large()
            if self._here.chain.hops > MAX_HOPS and self._scope["method"] not in _READS:
                raise LoopDetected(
                    members={"hops": self._here.chain.hops, "correlation_id": self._here.chain.correlation_id}
                )
            await self._owner.run_app(self._scope, self.receive, self.send)
        except (BodyTooLarge, LoopDetected) as problem:
            await self._answer(problem)
        except Exception:
            structlog.get_logger("crm").exception("unhandled_error", route=self._route())
            if self._status:
                raise
            await self._answer(InternalError(Text("The error has been logged.", "错误已记录。")))
        finally:
            self._record()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if self._received > self._limit:
                raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._here.request_id
            headers["traceparent"] = self._here.trace.traceparent
            for name, value in self._extra.items():
                headers[name] = value
        await self._send(message)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(Text(f"The body may have at most {self._limit} bytes.", f"请求体最多 {self._limit} 字节。"))

    async def _answer(self, problem: Any) -> None:
        if not self._status:
            await problem_response(problem, self._scope)(self._scope, self._receive, self.send)

    def _route(self) -> str:
        """By its template: a path may name a person."""
        route = getattr(self._scope.get("route"), "path", None) or self._scope.get("crm_route")
        return str(route or self._owner.plain_paths.get(self._scope.get("endpoint"), "unmatched"))

    def _record(self) -> None:
        if self._scope["path"] in OPERATIONS:
            return
        seconds = time.perf_counter() - self._started
        method = self._scope["method"] if self._scope["method"] in _METHODS else "OTHER"
        self._owner.recorder.record(
            method=method,
            route=self._route(),
            status=self._status,
            seconds=seconds,
            request_id=self._here.request_id,
            trace=self._here.trace,
            tenant_id=self._scope.get(TENANT),
        )


_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
