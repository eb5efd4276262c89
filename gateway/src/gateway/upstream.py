"""The services behind the gateway, over HTTP: one client a process.

httpx over aiohttp's connections: httpx's own pool wedges after cancelled requests (httpcore issue 1093).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Literal, Protocol, cast, get_args

import aiohttp
import httpx
from crm_kit import context
from crm_kit.errors import Text, Unavailable
from crm_kit.http.principal import Principal, TokenMint
from crm_kit.runtime import Runtime
from fastapi import FastAPI
from httpx_aiohttp import AiohttpTransport

Service = Literal["contacts", "pipeline", "tickets", "campaigns"]
SERVICES: Final[tuple[Service, ...]] = get_args(Service)

_CONNECTIONS = 100
_CONNECT_SECONDS = 2.0
_READ_SECONDS = 30.0
_KEEP_ALIVE_SECONDS = 60.0
"""Below the 75 s after which the services close an idle connection, so that none is used as it closes."""


class UpstreamSettings(Protocol):
    """Where the services are."""

    @property
    def contacts_url(self) -> str: ...
    @property
    def pipeline_url(self) -> str: ...
    @property
    def tickets_url(self) -> str: ...
    @property
    def campaigns_url(self) -> str: ...


class UpstreamUnavailable(Unavailable):
    code = "upstream_unavailable"
    title = Text("A service behind the gateway does not answer", "网关后的服务无响应")

    def __init__(self, service: str) -> None:
        super().__init__(
            Text(f"{service} does not answer; try again.", f"{service} 无响应，请重试。"), headers={"Retry-After": "1"}
        )


class ServiceClient:
    """Calls services in the name of a principal, under the trace of the request that is being answered."""

    def __init__(self, urls: Mapping[Service, str], mint: TokenMint) -> None:
        self._urls = {service: httpx.URL(url.rstrip("/")) for service, url in urls.items()}
        self._mint = mint
        self._client = httpx.AsyncClient(
            transport=AiohttpTransport(client=_connections, trust_env=False),
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS, pool=_CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )
        self._client.headers.clear()  # what a proxied request carries is the caller's business

    async def send(
        self,
        principal: Principal,
        service: Service,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
    ) -> httpx.Response:
        """The service's answer, its body still to be read: close it. `target` is a path and query, as sent.

        `headers` must hold no Authorization, traceparent or X-Request-Id: they are added here.
        Raises UpstreamUnavailable.
        """
        url = self._urls[service].copy_with(raw_path=target.encode("ascii"))
        sent = {**(headers or {}), "Authorization": f"Bearer {self._mint.token(principal)}"}
        if here := context.current():
            sent["traceparent"] = here.trace.traceparent
            sent["X-Request-Id"] = here.request_id
        try:
            return await self._client.send(
                self._client.build_request(method, url, headers=sent, content=content), stream=True
            )
        except (httpx.TransportError, aiohttp.ClientError, OSError) as error:
            raise UpstreamUnavailable(service) from error

    async def post(self, principal: Principal, service: Service, path: str, body: bytes, *, timeout: float) -> httpx.Response:
        """The whole answer to a POST of JSON within `timeout` seconds. Raises UpstreamUnavailable."""
        try:
            async with asyncio.timeout(timeout):
                headers = {"Content-Type": "application/json", "Accept": "application/json"}
                response = await self.send(principal, service, "POST", path, headers=headers, content=body)
                try:
                    await response.aread()
                finally:
                    await response.aclose()
                return response
        except (TimeoutError, httpx.TransportError, aiohttp.ClientError, OSError) as error:
            raise UpstreamUnavailable(service) from error

    async def close(self) -> None:
        await self._client.aclose()


def _connections() -> aiohttp.ClientSession:
    # Cookies would carry one caller's session to another.
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_SECONDS)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)


@asynccontextmanager
async def open_services(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
    """Puts the process's ServiceClient at `app.state.services` while the application serves.

    Each feature that calls services has this in its lifespan; the first one opens it. Needs `app.state.mint`.
    """
    if getattr(app.state, "services", None) is not None:
        yield
        return
    settings = cast("UpstreamSettings", runtime.settings)
    urls: dict[Service, str] = {
        "contacts": settings.contacts_url,
        "pipeline": settings.pipeline_url,
        "tickets": settings.tickets_url,
        "campaigns": settings.campaigns_url,
    }
    client = ServiceClient(urls, app.state.mint)
    app.state.services = client
    try:
        yield
    finally:
        app.state.services = None
        await client.close()
