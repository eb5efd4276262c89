"""Asking a service, and whether its answer makes sense."""

from collections.abc import AsyncIterator
from typing import Final

import aiohttp
import structlog
from crm_kit.errors import Problem, Text, Unavailable, UpstreamFailed
from crm_kit.http.principal import Principal
from crm_kit.http.problems import PROBLEM_TYPE
from starlette.types import Scope

from gateway.proxy import rules
from gateway.upstream import Service, ServiceClient, UpstreamUnavailable

_BUFFERED_BYTES: Final = 256 * 1024
"""Answers up to this are read whole before the first byte is sent: one that breaks off is then a clean 502."""

log = structlog.get_logger(__name__)


async def forward(
    client: ServiceClient,
    scope: Scope,
    body: bytes | AsyncIterator[bytes],
    service: Service,
    principal: Principal | None,
    target: str,
) -> aiohttp.ClientResponse:
    """The service's answer to a request, its body still to be read. Raises Unavailable, UpstreamFailed.

    A body that comes in pieces is passed on as they come.
    """
    headers = rules.forwarded_headers(scope["headers"])
    method = scope["method"]
    safe = method in rules.SAFE_METHODS
    for may_repeat in (safe, False):
        try:
            return await client.send(principal, service, method, target, headers=headers, content=body or None)
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


def require_sense(response: aiohttp.ClientResponse, service: Service) -> None:
    """Raises UpstreamFailed for what a service should never answer."""
    if response.status == 401:
        log.error("internal_token_refused", upstream=service)
        raise UpstreamFailed(
            Text(f"{service} does not accept this gateway's token.", f"{service} 服务不接受本网关的令牌。"),
            members={"service": service},
        )
    if response.status >= 500 and not response.headers.get("content-type", "").startswith(PROBLEM_TYPE):
        raise _garbled(service)


async def buffered(response: aiohttp.ClientResponse, service: Service) -> bytes | None:
    """The whole body; None where it is too large for that. Raises UpstreamFailed where it breaks off."""
    length = response.headers.get("content-length", "0" if response.status == 204 else "")
    if not length.isdecimal() or int(length) > _BUFFERED_BYTES:
        return None
    try:
        return await response.read()
    except (aiohttp.ClientError, OSError) as error:
        raise _garbled(service) from error
