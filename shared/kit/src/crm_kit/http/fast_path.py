"""The shortest way to an answer, for the few operations that every screen begins with. Pure ASGI, around the application.

A fast route answers the usual request, and leaves each other one to the application behind it: whoever looks for what an
operation does reads its ordinary route. Both answer alike, headers included.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from crm_kit import context
from crm_kit.errors import Problem
from crm_kit.http.middleware import TENANT, request_id_of
from crm_kit.http.origin import OriginOf
from crm_kit.http.problems import problem_response
from crm_kit.observability import metrics
from crm_kit.observability.access_log import access_log

Headers = list[tuple[bytes, bytes]]

JSON: Final = (b"content-type", b"application/json")


class FastRequest:
    """`headers`: by their lower-case names; a request that repeats one is not for the fast path.

    `key`: the last segment of the path. `answered`: headers of the answer, whatever it is.
    """

    __slots__ = ("_origin_of", "answered", "headers", "key", "request_id", "scope", "state", "trace")

    def __init__(
        self, scope: Scope, headers: Mapping[bytes, bytes], key: str, state: State, origin_of: OriginOf
    ) -> None:
        self.scope = scope
        self.headers = headers
        self.key = key
        self.state = state
        self.trace = context.start_trace(_text(headers.get(b"traceparent")))
        self.request_id = request_id_of(_text(headers.get(b"x-request-id")), self.trace)
        self.answered: Headers = []
        self._origin_of = origin_of

    def context(self) -> context.Context:
        """As the application would have it."""
        origin = self._origin_of(self.scope)
        return context.Context(self.trace, self.request_id, address=origin.address, user_agent=origin.user_agent)


class FastAnswer(NamedTuple):
    status: int
    headers: Headers
    body: bytes


_NEVER_WITH: Final = frozenset({b"content-length", b"transfer-encoding", b"range", b"expect", b"upgrade"})

_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

FastHandler = Callable[[FastRequest], Awaitable[FastAnswer | None]]
"""None, or any error but a Problem: the application answers, as if nobody had tried."""


@dataclass(frozen=True, slots=True)
class FastRoute:
    """GET `<prefix>/<key>` without a query and without a body. `path`: the ordinary route's, for the metrics.

    `not_with`: headers with which a request is not the usual one.
    """

    prefix: str
    path: str
    handler: FastHandler
    not_with: frozenset[bytes] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "not_with", self.not_with | _NEVER_WITH)


class FastPath:
    """`app`: what answers everything else. `is_open`: whether this process takes requests as usual."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        routes: Iterable[FastRoute],
        state: State,
        origin_of: OriginOf,
        is_open: Callable[[], bool],
    ) -> None:
        self._app = app
        self._service = service
        self._routes = {route.prefix: route for route in routes}
        self._state = state
        self._origin_of = origin_of
        self._is_open = is_open
        self._counters: dict[tuple[str, int], tuple[Any, Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            prefix, _, key = scope["path"].rpartition("/")
            route = self._routes.get(prefix)
            if route is not None and self._is_open() and await self._answers(route, key, scope, send):
                return
        await self._app(scope, receive, send)

    async def _answers(self, route: FastRoute, key: str, scope: Scope, send: Send) -> bool:
        began = time.perf_counter()
        headers = dict(scope["headers"])
        if len(headers) != len(scope["headers"]) or not route.not_with.isdisjoint(headers):
            return False
        request = FastRequest(scope, headers, key, self._state, self._origin_of)
        try:
            answer = await route.handler(request)
        except Problem as problem:
            with context.use(request.context()):
                told = problem_response(problem, scope)
            answer = FastAnswer(told.status_code, told.raw_headers, bytes(told.body))
        except Exception:  # it will come again where it is told as it should be
            return False
        if answer is None:
            return False
        status, sent, body = answer
        sent += request.answered
        sent.append((b"x-request-id", request.request_id.encode()))
        sent.append((b"traceparent", request.trace.traceparent.encode()))
        if status not in _WITHOUT_BODY:
            sent.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})
        self._record(route, status, time.perf_counter() - began, request)
        return True

    def _record(self, route: FastRoute, status: int, seconds: float, request: FastRequest) -> None:
        counters = self._counters.get((route.path, status))
        if counters is None:
            counters = self._counters[(route.path, status)] = (
                metrics.REQUESTS.labels(self._service, "GET", route.path, str(status)),
                metrics.REQUEST_SECONDS.labels(self._service, "GET", route.path),
            )
        counters[0].inc()
        counters[1].observe(seconds)
        access_log().write(
            method="GET",
            route=route.path,
            status=status,
            seconds=seconds,
            request_id=request.request_id,
            trace_id=request.trace.trace_id,
            tenant_id=request.scope.get(TENANT),
        )


def _text(value: bytes | None) -> str:
    return value.decode("latin-1") if value is not None else ""
