"""One route for everything that belongs to a service. Plain ASGI: what FastAPI would parse is not ours to parse."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Final, cast

import aiohttp
import structlog
from crm_kit import context
from crm_kit.errors import MethodNotAllowed, NotFound, Problem, Text, Unavailable, UpstreamFailed
from crm_kit.http.principal import Authenticator, Principal
from crm_kit.http.problems import PROBLEM_TYPE
from crm_kit.http.route import acting_as, require
from fastapi import Request
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from gateway.proxy import rules
from gateway.proxy.table import RouteTable
from gateway.upstream import Service, ServiceClient, UpstreamUnavailable

_BUFFERED_BYTES: Final = 256 * 1024
"""Answers up to this are read whole before the first byte is sent: one that breaks off is then a clean 502."""

log = structlog.get_logger(__name__)


class ProxyRoute(BaseRoute):
    """Authenticates, checks the permission, forwards under an internal token, and answers what the service answers."""

    def __init__(self, load_table: Callable[[], RouteTable]) -> None:
        self._load_table = load_table

    @cached_property
    def _table(self) -> RouteTable:
        # Not before the first request: the very command that writes the document imports this module.
        return self._load_table()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        prefix = rules.first_segment(scope["raw_path"])
        service = self._table.services.get(prefix or "")
        if service is None:
            return Match.NONE, {}
        return Match.FULL, {"relata_service": service, "crm_route": f"/v1/{prefix}/*"}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        service = cast("Service", scope["relata_service"])
        method, path = request.method, rules.safe_path(scope["raw_path"])
        if path is None:
            raise NotFound
        if method not in rules.METHODS:
            allowed = self._table.methods_at(path)
            raise MethodNotAllowed(headers={"Allow": ", ".join(allowed)}) if allowed else NotFound
        principal = await self._principal(request, method, path)
        query = rules.safe_query(scope["query_string"])
        with _acting(principal):
            response = await _forward(request, service, principal, f"{path}?{query}" if query else path)
            try:
                _require_sense(response, service)
                body = await _buffered(response, service)
                if principal is not None and principal.tenant_id is not None and body is not None:
                    # Before the client has its answer, and with it a reason to read.
                    token = response.headers.get("consistency-token", "")
                    request.app.state.recent_writes.note(principal.tenant_id, token, body)
                await _answer(response, body, send)
            finally:
                response.release()

    async def _principal(self, request: Request, method: str, path: str) -> Principal | None:
        """None for an operation that is open to anybody."""
        permission = self._table.permission(method, path)
        if permission is None:
            return None
        authenticator: Authenticator = request.app.state.authenticator
        principal = await authenticator.authenticate(request)
        require(principal, permission)
        return principal


def _acting(principal: Principal | None) -> AbstractContextManager[object]:
    return context.use(acting_as(principal)) if principal is not None else nullcontext()


async def _forward(
    request: Request, service: Service, principal: Principal | None, target: str
) -> aiohttp.ClientResponse:
    """The service's answer, its body still to be read. Raises Unavailable, UpstreamFailed."""
    client: ServiceClient = request.app.state.services
    headers = rules.forwarded_headers(request.scope["headers"])
    body = await request.body()
    safe = request.method in rules.SAFE_METHODS
    for may_repeat in (safe, False):
        try:
            return await client.send(principal, service, request.method, target, headers=headers, content=body or None)
        except UpstreamUnavailable as problem:
            if not (may_repeat and not problem.sent):
                raise _problem(service, problem, safe) from problem
    raise AssertionError("the second attempt returns or raises")


def _problem(service: Service, cause: UpstreamUnavailable, safe: bool) -> Problem:
    log.warning("upstream_failed", upstream=service, error=repr(cause.__cause__))
    if isinstance(cause.__cause__, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return _garbled(service)
    if not safe and not cause.sent:
        detail = Text(
            f"{service} does not answer; nothing was done. Try again.",
            f"{service} 服务无响应，未执行任何操作，请重试。",
        )
    elif safe:
        detail = Text(f"{service} does not answer; try again.", f"{service} 服务无响应，请重试。")
    else:
        detail = Text(
            f"{service} does not answer. It may have been done: repeat it with the same Idempotency-Key.",
            f"{service} 服务无响应，操作可能已完成：请使用相同的 Idempotency-Key 重试。",
        )
    return Unavailable(detail, headers={"Retry-After": "1"}, members={"service": service})


def _garbled(service: Service) -> UpstreamFailed:
    return UpstreamFailed(
        Text(f"{service} answered in a way that makes no sense.", f"{service} 服务的响应无法识别。"),
        members={"service": service},
    )


def _require_sense(response: aiohttp.ClientResponse, service: Service) -> None:
    """Raises UpstreamFailed for what a service should never answer."""
    if response.status == 401:
        log.error("internal_token_refused", upstream=service)
        raise UpstreamFailed(
            Text(f"{service} does not accept this gateway's token.", f"{service} 服务不接受本网关的令牌。"),
            members={"service": service},
        )
    if response.status >= 500 and not response.headers.get("content-type", "").startswith(PROBLEM_TYPE):
        raise _garbled(service)


async def _buffered(response: aiohttp.ClientResponse, service: Service) -> bytes | None:
    """The whole body; None where it is too large for that. Raises UpstreamFailed where it breaks off."""
    length = response.headers.get("content-length", "0" if response.status == 204 else "")
    if not length.isdecimal() or int(length) > _BUFFERED_BYTES:
        return None
    try:
        return await response.read()
    except (aiohttp.ClientError, OSError) as error:
        raise _garbled(service) from error


async def _answer(response: aiohttp.ClientResponse, body: bytes | None, send: Send) -> None:
    headers = rules.answered_headers(response.headers)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if body is None:
        async for chunk in response.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": body or b""})
