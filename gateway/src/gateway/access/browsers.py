"""What browsers need: cross-origin requests from the origins that a tenant allows, and headers that keep pages safe."""

from functools import partial
from http import HTTPStatus
from typing import Final

from crm_kit.http.middleware import TENANT
from crm_kit.http.protocol import ADDED, EXCHANGE, Added
from starlette.datastructures import Headers, MutableHeaders, State
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.explanation import HEADER
from gateway.access.origins import AllowedOrigins

_OPEN_TO_ALL: Final = frozenset({"/openapi.json", "/asyncapi.json"})
_METHODS: Final = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE")
_REQUEST_HEADERS: Final = (
    "Authorization",
    "Consistency-Token",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Prefer",
    HEADER,
    "traceparent",
    "X-Request-Id",
)
_RESPONSE_HEADERS: Final = (
    "Consistency-Token",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    HEADER,
    "Relata-Stale",
    "Retry-After",
    "traceparent",
    "WWW-Authenticate",
    "X-Request-Id",
)
_PREFLIGHT_SECONDS: Final = 600

_SAFE: Final = (
    (b"cache-control", b"no-store"),  # customers' data: neither a shared cache nor a browser's disk may keep it
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""What the answer does not say by itself."""

_ADDED: Final = Added(_SAFE)


class BrowserMiddleware(CORSMiddleware):
    """CORS by tenant. A preflight carries no credential: it passes where any tenant allows the origin; the answer to the
    request itself can be read where its own tenant does. Cookies are never involved.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        super().__init__(
            app,
            allow_methods=_METHODS,
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_RESPONSE_HEADERS,
            max_age=_PREFLIGHT_SECONDS,
        )
        self._state = state

    @property
    def _origins(self) -> AllowedOrigins:
        origins: AllowedOrigins = self._state.allowed_origins
        return origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        for name, _ in scope["headers"]:
            if name == b"origin":
                scope.pop(EXCHANGE, None)
                await super().__call__(scope, receive, partial(_send_safely, send))
                return
        scope[ADDED] = _ADDED
        await self.app(scope, receive, partial(_send_safely, send))

    def is_allowed_origin(self, origin: str) -> bool:
        return self._origins.allows(origin, None)

    def preflight_response(self, request_headers: Headers) -> Response:
        """A refusal is an answer that allows nothing: no page can read more of it than that."""
        answer = super().preflight_response(request_headers)
        refused = answer.status_code != HTTPStatus.OK
        kept = [
            name
            for name in answer.headers
            if not name.startswith("content-") and not (refused and name.startswith("access-control-"))
        ]
        return Response(status_code=204, headers={name: answer.headers[name] for name in kept})

    async def simple_response(self, scope: Scope, receive: Receive, send: Send, request_headers: Headers) -> None:
        await self.app(scope, receive, partial(self._send_to, scope, send, request_headers))

    async def _send_to(self, scope: Scope, send: Send, request_headers: Headers, message: Message) -> None:
        if message["type"] == "http.response.start":
            origin = request_headers["origin"]
            headers = MutableHeaders(scope=message)
            if scope["path"] in _OPEN_TO_ALL:
                headers["Access-Control-Allow-Origin"] = "*"
            elif self._origins.allows(origin, scope.get(TENANT)):
                await self.send(message, send, request_headers)
                return
            else:
                headers.add_vary_header("Origin")
        await send(message)


async def _send_safely(send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        said = {name for name, _ in message["headers"]}
        message["headers"] = [*message["headers"], *_ADDED.missing(said)]
    await send(message)
