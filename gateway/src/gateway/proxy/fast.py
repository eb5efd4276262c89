"""What `route.py` does, without its machinery, for whoever comes with a key that is known."""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Final

import aiohttp
from crm_kit import context
from crm_kit.http.fast_path import FastAnswer, FastRequest, FastRoute
from crm_kit.http.route import acting_as, require

from gateway.access.authenticator import GatewayAuthenticator
from gateway.access.explanation import HEADER
from gateway.proxy import rules
from gateway.proxy.forwarding import buffered, forward, require_sense
from gateway.proxy.table import RouteTable
from gateway.recent_writes import RecentWrites
from gateway.upstream import Service

_UNUSUAL: Final = frozenset({HEADER.lower().encode()})


def fast_routes(load_table: Callable[[], RouteTable]) -> Iterator[FastRoute]:
    """One for each prefix of a service."""
    table = load_table()
    for prefix, service in table.services.items():
        yield FastRoute(f"/v1/{prefix}", f"/v1/{prefix}/*", partial(_answer, table, service), _UNUSUAL, "whole")


async def _answer(table: RouteTable, service: Service, request: FastRequest) -> FastAnswer | None:
    scope, state = request.scope, request.state
    method, path = scope["method"], rules.safe_path(scope["raw_path"])
    permission = table.permission(method, path) if path is not None and method in rules.METHODS else None
    if path is None or permission is None:
        return None
    authenticator: GatewayAuthenticator = state.authenticator
    principal = authenticator.authenticate_known(request)
    if principal is None or principal.tenant_id is None:
        return None
    require(principal, permission)
    query = rules.safe_query(scope["query_string"])
    body = await request.body() if method not in rules.SAFE_METHODS or b"content-length" in request.headers else b""
    with context.use(acting_as(principal, request.context())):
        response = await forward(state.services, scope, body, service, principal, f"{path}?{query}" if query else path)
        try:
            require_sense(response, service)
            whole = await buffered(response, service)
        except BaseException:
            response.release()
            raise
        headers = rules.answered_headers(response.headers)
        if whole is None:
            return FastAnswer(response.status, headers, b"", _streamed(response))
        response.release()
        recent: RecentWrites = state.recent_writes
        # Before the client has its answer, and with it a reason to read.
        recent.note(principal.tenant_id, response.headers.get("consistency-token", ""), whole, principal.subject)
        return FastAnswer(response.status, headers, whole)


async def _streamed(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    finally:
        response.release()
