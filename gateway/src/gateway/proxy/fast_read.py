"""GET of one record of a service, by a key that is known: what `route.py` does, without its machinery."""

from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus

from crm_kit import context
from crm_kit.http.fast_path import FastAnswer, FastRequest, FastRoute
from crm_kit.http.route import acting_as, require

from gateway.access.authenticator import GatewayAuthenticator
from gateway.access.explanation import HEADER
from gateway.proxy import rules
from gateway.proxy.table import RouteTable
from gateway.upstream import Service, ServiceClient, UpstreamUnavailable

_UNUSUAL = frozenset({HEADER.lower().encode()})


def fast_reads(load_table: Callable[[], RouteTable]) -> Iterator[FastRoute]:
    """One for each resource of a service."""
    table = load_table()
    for prefix in table.services:
        yield FastRoute(f"/v1/{prefix}", f"/v1/{prefix}/*", partial(_answer, table, table.services[prefix]), _UNUSUAL)


async def _answer(table: RouteTable, service: Service, request: FastRequest) -> FastAnswer | None:
    path = rules.safe_path(request.scope["raw_path"])
    permission = table.permission("GET", path) if path is not None else None
    if path is None or permission is None:
        return None
    authenticator: GatewayAuthenticator = request.state.authenticator
    principal = authenticator.authenticate_known(request)
    if principal is None:
        return None
    require(principal, permission)
    client: ServiceClient = request.state.services
    headers = rules.forwarded_headers(request.scope["headers"])
    seconds = request.state.settings.upstream_read_seconds
    with context.use(acting_as(principal, request.context())):
        try:
            answer = await client.call(principal, service, "GET", path, headers=headers, timeout=seconds)
        except UpstreamUnavailable as problem:
            if isinstance(problem.__cause__, TimeoutError):
                raise
            return None
    if answer.status_code == HTTPStatus.UNAUTHORIZED or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    told = [(name, value) for name, value in rules.answered_headers(answer.headers) if name != b"content-length"]
    return FastAnswer(answer.status_code, told, answer.content)
