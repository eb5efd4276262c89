"""The services behind the gateway, over HTTP: one client a process.

aiohttp's client by itself: httpx costs several times as much a request, and its pool wedges after cancelled ones
(httpcore issue 1093).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_args

import aiohttp
from crm_contracts.registry import TOPICS
from crm_kit import context
from crm_kit.errors import Text, Unavailable
from crm_kit.http.origin import passed_on
from crm_kit.http.principal import Principal, TokenMint
from crm_kit.observability import tracing
from crm_kit.runtime import Runtime
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from yarl import URL

from gateway.recent_writes import RecentWrites
from gateway.settings import GatewaySettings

ModelT = TypeVar("ModelT", bound=BaseModel)

Service = Literal["contacts", "pipeline", "tickets", "campaigns"]
SERVICES: Final[tuple[Service, ...]] = get_args(Service)
SERVICE_OF: Final[Mapping[str, Service]] = {
    topic.entity: service for topic in TOPICS for service in SERVICES if topic.service == service
}
"""The service that owns the entities of a type: of every type that the gateway keeps copies of."""

_KEEP_ALIVE_SECONDS = 60.0
"""Below the 75 s after which the services close an idle connection, so that none is used as it closes."""

_KEPT_SHARE: Final = 0.8
"""Of the time that a service answers on after it was asked to end. What is used within it is told to close; what is idle for
longer is not used again, so that none is used as the service closes it."""


class UpstreamUnavailable(Unavailable):
    """`service` names the one that does not answer. `sent`: it may have got the request."""

    def __init__(self, service: str, *, sent: bool = True) -> None:
        self.sent = sent
        super().__init__(
            Text(f"{service} does not answer; try again.", f"{service} 服务无响应，请重试。"),
            headers={"Retry-After": "1"},
            members={"service": service},
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """A service's whole answer."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code < 300


class ServiceClient:
    """Calls services in the name of a principal, under the trace of the request that is being answered."""

    def __init__(self, settings: GatewaySettings, mint: TokenMint) -> None:
        urls: Mapping[Service, str] = {
            "contacts": settings.contacts_url,
            "pipeline": settings.pipeline_url,
            "tickets": settings.tickets_url,
            "campaigns": settings.campaigns_url,
        }
        self._urls = urls
        self._mint = mint
        connect = settings.upstream_connect_seconds
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=settings.upstream_connections, keepalive_timeout=_kept(settings)),
            cookie_jar=aiohttp.DummyCookieJar(),  # cookies would carry one caller's session to another
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),  # the caller's business
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(
                total=None, connect=connect, sock_connect=connect, sock_read=settings.upstream_read_seconds
            ),
        )

    async def send(
        self,
        principal: Principal | None,
        service: Service,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
    ) -> aiohttp.ClientResponse:
        """The service's answer, its body still to be read: release it. `target` is a path and query, as sent.

        Without a principal no token goes along: the operation must be open to anybody.
        `headers` must hold no Authorization, traceparent or X-Request-Id: they are added here.
        Raises UpstreamUnavailable.
        """
        sent = dict(headers or {})
        if principal is not None:
            sent["Authorization"] = f"Bearer {self._mint.token(principal)}"
        span = None
        if here := context.current():
            span = tracing.below(here.trace)
            sent["traceparent"] = (span or here.trace).traceparent
            sent["X-Request-Id"] = here.request_id
            sent |= passed_on(here.address, here.user_agent, here.chain)
        url = URL(self._urls[service] + target, encoded=True)
        with tracing.request_under_way(span, method, {"server.address": service}) as told:
            try:
                answer = await self._session.request(method, url, headers=sent, data=content, allow_redirects=False)
            except (aiohttp.ClientError, OSError) as error:
                # Of PUT and DELETE it may be aiohttp's second attempt that found no connection.
                unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
                raise UpstreamUnavailable(service, sent=not unsent or method in ("PUT", "DELETE")) from error
            told.status = answer.status
            return answer

    async def post(self, principal: Principal, service: Service, path: str, body: bytes, *, timeout: float) -> Answer:
        """The whole answer to a POST of JSON within `timeout` seconds. Raises UpstreamUnavailable."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return await self.call(principal, service, "POST", path, headers=headers, content=body, timeout=timeout)

    async def call(
        self,
        principal: Principal,
        service: Service,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float,
    ) -> Answer:
        """As `send`, with the whole answer read within `timeout` seconds. Raises UpstreamUnavailable."""
        try:
            async with (
                asyncio.timeout(timeout),
                await self.send(principal, service, method, target, headers=headers, content=content) as response,
            ):
                return Answer(response.status, response.headers, await response.read())
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UpstreamUnavailable(service) from error

    async def call_each(
        self,
        principal: Principal,
        services: Sequence[Service],
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        timeout: float,
    ) -> Mapping[Service, Answer | None]:
        """What each answers to the same request, asked all at once; None where one gave no answer in time."""

        async def ask(service: Service) -> Answer | None:
            try:
                return await self.call(principal, service, method, target, headers=headers, timeout=timeout)
            except UpstreamUnavailable:
                return None

        return dict(zip(services, await asyncio.gather(*map(ask, services)), strict=True))

    async def read_each(
        self,
        principal: Principal,
        services: Sequence[Service],
        target: str,
        model: type[ModelT],
        *,
        headers: Mapping[str, str],
        timeout: float,
    ) -> tuple[list[ModelT], list[Service]]:
        """What those of the services that answered in time and as the model has it hold there, and the others."""
        answers = await self.call_each(principal, services, "GET", target, headers=headers, timeout=timeout)
        found: list[ModelT] = []
        degraded: list[Service] = []
        for service, answer in answers.items():
            try:
                found.append(model.model_validate_json(answer.content if answer and answer.is_success else b""))
            except ValidationError:
                degraded.append(service)
        return found, degraded

    async def close(self) -> None:
        await self._session.close()


def _kept(settings: GatewaySettings) -> float:
    """Seconds that an idle connection is kept. The services have the gateway's `SHUTDOWN_DELAY_SECONDS`."""
    return min(_KEEP_ALIVE_SECONDS, settings.shutdown_delay * _KEPT_SHARE or _KEEP_ALIVE_SECONDS)


@asynccontextmanager
async def open_services(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
    """Puts the process's ServiceClient at `app.state.services` while the application serves, and the RecentWrites of its port.

    Each feature that calls services has this in its lifespan; the first one opens it. Needs `app.state.mint`.
    """
    if getattr(app.state, "services", None) is not None:
        yield
        return
    settings = runtime.settings
    assert isinstance(settings, GatewaySettings), "the gateway's manifest names its settings"
    client = ServiceClient(settings, app.state.mint)
    app.state.services = client
    app.state.recent_writes = RecentWrites(time.monotonic, runtime.siblings)
    try:
        yield
    finally:
        app.state.services = None
        await client.close()
