"""One route for everything that belongs to a service. Plain ASGI: what FastAPI would parse is not ours to parse."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import cast

import aiohttp
from crm_kit import context
from crm_kit.errors import MethodNotAllowed, NotFound, Problem
from crm_kit.http.principal import Authenticator, Principal
from crm_kit.http.route import acting_as, require
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from gateway.proxy import rules
from gateway.proxy.forwarding import buffered, forward, require_sense
from gateway.proxy.table import RouteTable, prefix_of
from gateway.upstream import Service, ServiceClient


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
        prefix = prefix_of(scope["raw_path"].decode("latin-1"))
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
            target = f"{path}?{query}" if query else path
            client: ServiceClient = request.app.state.services
            if path in self._table.uploads:
                response = await _forward_upload(client, request, service, principal, target)
            else:
                response = await forward(client, scope, await request.body(), service, principal, target)
            try:
                require_sense(response, service)
                body = await buffered(response, service)
                if principal is not None and principal.tenant_id is not None and body is not None:
                    # Before the client has its answer, and with it a reason to read.
                    token = response.headers.get("consistency-token", "")
                    request.app.state.recent_writes.note(principal.tenant_id, token, body, principal.subject)
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


async def _forward_upload(
    client: ServiceClient, request: Request, service: Service, principal: Principal | None, target: str
) -> aiohttp.ClientResponse:
    """Raises what `forward` raises; and what the client's own sending came to, where that is why."""
    ended: list[Exception] = []

    async def pieces() -> AsyncIterator[bytes]:
        try:
            async for piece in request.stream():
                yield piece
        except (Problem, ClientDisconnect) as error:
            ended.append(error)
            raise

    try:
        return await forward(client, request.scope, pieces(), service, principal, target)
    except Problem:
        if ended:
            raise ended[0] from None
        raise


def _acting(principal: Principal | None) -> AbstractContextManager[object]:
    return context.use(acting_as(principal)) if principal is not None else nullcontext()


async def _answer(response: aiohttp.ClientResponse, body: bytes | None, send: Send) -> None:
    headers = rules.answered_headers(response.headers)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if body is None:
        async for chunk in response.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": body or b""})
