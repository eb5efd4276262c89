"""A service under test: the real application on a real port, over real PostgreSQL and the embedded event log."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from crm_contracts.envelope import Event
from crm_contracts.ids import TenantId
from crm_kit.app import create_app
from crm_kit.bus import TopicPartition
from crm_kit.db.migrations import migrate
from crm_kit.db.provision import ServiceUrls
from crm_kit.http.principal import AUDIENCE, ISSUER, Authenticator, Principal, TokenMint
from crm_kit.http.protocol import Protocol
from crm_kit.manifest import Manifest
from crm_kit.rights import Rights
from crm_kit.runtime import ALL_ROLES, Role, Runtime
from httpx_aiohttp import AiohttpTransport
from joserfc import jwt
from joserfc.jwk import OKPKey

from crm_testkit.listener import listen

SECRET = "only-for-tests-0123456789abcdefgh"
ALL_SCOPES = frozenset({"read", "write", "admin"})


_HEALTH = frozenset({"/healthz", "/readyz"})


def check_problem(response: httpx.Response) -> None:
    """The one shape of all errors: RFC 9457 with our members and headers; below SCIM's prefix SCIM's own."""
    body = response.json()
    if response.request.url.path.startswith("/scim/"):
        _check_scim_error(response, body)
        return
    assert response.headers["content-type"] == "application/problem+json", response.headers
    assert body["status"] == response.status_code, body
    assert body["type"] == f"/problems/{body['code']}", body
    assert body["title"], body
    assert body["trace_id"] == response.headers["traceparent"].split("-")[1], body
    assert response.headers["x-request-id"], response.headers
    assert response.headers["content-language"] in ("en", "zh-CN"), response.headers
    assert body["instance"].startswith("/"), body
    for error in body.get("errors", []):
        assert error.keys() - {"rule_id"} == {"pointer", "code", "detail"}, error
        assert error["detail"], error


def _check_scim_error(response: httpx.Response, body: dict[str, Any]) -> None:
    """RFC 7644, section 3.12."""
    assert response.headers["content-type"] == "application/scim+json", response.headers
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"], body
    assert body["status"] == str(response.status_code), body
    assert body.keys() <= {"schemas", "status", "scimType", "detail"}, body
    assert body["detail"], body
    assert response.headers["x-request-id"], response.headers
    assert response.headers["content-language"] in ("en", "zh-CN"), response.headers


class _FromTheBeginning:
    async def load(self, _group: str, _partitions: object) -> dict[TopicPartition, int]:
        return {}


@dataclass(frozen=True)
class Tenant:
    """A tenant's client: sends the internal token that the gateway would send."""

    id: str
    client: httpx.AsyncClient

    async def create(self, path: str, **body: Any) -> dict[str, Any]:
        """POSTs and expects 201."""
        response = await self.client.post(path, json=body)
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    async def read(self, path: str, **params: Any) -> dict[str, Any]:
        """GETs and expects 200."""
        response = await self.client.get(path, params=params)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found


class ServiceUnderTest:
    """A running service. `tenant()` gives a fresh tenant; `events()` all that it has published.

    Every answer to its clients is noted in `answers` (method, path, status), and every error must have the one shape.
    """

    def __init__(self, manifest: Manifest, runtime: Runtime, key: OKPKey, url: str, urls: ServiceUrls) -> None:
        self.manifest = manifest
        self.runtime = runtime
        self.key = key
        self.mint = TokenMint(key)
        self.url = url
        self.urls = urls
        self.answers: set[tuple[str, str, int]] = set()
        self._transport = AiohttpTransport()

    def tenant(
        self,
        tenant_id: str | None = None,
        *,
        region: str = "CN",
        scopes: frozenset[str] = ALL_SCOPES,
        rights: Rights | None = None,
    ) -> Tenant:
        """A fresh tenant, or that one; `rights`: of somebody who has not all of them."""
        subject = rights.user_id if rights is not None and rights.user_id else "key_test"
        principal = Principal(subject, tenant_id or TenantId.new(), region, scopes, rights)
        client = self.anonymous()
        client.headers["Authorization"] = f"Bearer {self.mint.token(principal)}"
        assert principal.tenant_id is not None
        return Tenant(principal.tenant_id, client)

    def anonymous(self) -> httpx.AsyncClient:
        hooks = {"response": [self._observe]}
        return httpx.AsyncClient(base_url=self.url, transport=self._transport, timeout=30, event_hooks=hooks)

    async def _observe(self, response: httpx.Response) -> None:
        request = response.request
        self.answers.add((request.method, request.url.path, response.status_code))
        if response.status_code >= 400 and request.url.path not in _HEALTH:
            await response.aread()
            check_problem(response)

    def token(self, **claims: object) -> str:
        """A token like the gateway's, with some claims changed, or left out where None."""
        now = int(time.time())
        usual: dict[str, object] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 60,
            "sub": "key_test",
            "tenant": TenantId.new(),
            "region": "CN",
            "scope": " ".join(ALL_SCOPES),
        }
        kept = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode({"alg": "Ed25519", "typ": "at+jwt", "kid": "test"}, kept, self.key, algorithms=["Ed25519"])

    async def events(self, topic: str, *, key: str | None = None, at_least: int = 1) -> list[Event]:
        """All events on a topic (of `key`), from its beginning, repeated ones too, once `at_least` so many different
        ones are there and no more come."""
        subscription = await self.runtime.event_log.subscribe(f"test-{id(self)}-{topic}", [topic], _FromTheBeginning())
        found: list[Event] = []
        try:
            async with asyncio.timeout(15):
                while True:
                    enough = len({event.id for event in found}) >= at_least
                    batch = await subscription.poll(1000, 0.1 if enough else 0.3)
                    for records in batch.values():
                        found += [Event.parse(r.headers, r.value) for r in records if key in (None, r.key)]
                    if enough and not batch:
                        return found
        finally:
            await subscription.close()

    async def publish(self, *events: tuple[str, Event]) -> None:
        """Puts events of other services onto the log."""
        from crm_kit.bus import Record, TopicSpec

        await self.runtime.event_log.ensure_topics([TopicSpec(topic) for topic in {topic for topic, _ in events}])
        records = [Record(topic, event.subject, event.value(), event.headers()) for topic, event in events]
        await self.runtime.event_log.publish(records)

    async def close(self) -> None:
        await self._transport.aclose()


@asynccontextmanager
async def running_service(
    manifest: Manifest,
    urls: ServiceUrls,
    event_log_url: str,
    folder: Path,
    *,
    roles: Sequence[Role] = ALL_ROLES,
    authenticator: Callable[[Runtime], Authenticator] | None = None,
    **settings: Any,
) -> AsyncIterator[ServiceUnderTest]:
    """Migrates the database and serves `manifest` on a free loopback port."""
    await migrate(manifest.migrations, manifest.metadata, urls.owner)
    key = OKPKey.generate_key("Ed25519", {"kid": "test"})
    jwks_file = folder / f"jwks-{manifest.name}.json"
    jwks_file.write_text(json.dumps(TokenMint(key).public_jwks()))
    made = manifest.settings(
        system_database_url=urls.system,
        owner_database_url=urls.owner,
        event_log_url=event_log_url,
        environment="development",
        **{
            "database_url": urls.app,
            "secret": SECRET,
            "internal_jwks_file": str(jwks_file),
            "shutdown_grace_seconds": 3,
            **settings,
        },
    )
    runtime = Runtime(manifest, made, roles)
    with listen() as listener:
        port = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(manifest, runtime, authenticator(runtime) if authenticator else None),
                log_config=None,
                access_log=False,
                lifespan="on",
                proxy_headers=False,  # as the real server
                timeout_keep_alive=75,  # as the real server: longer than the clients keep a connection
                timeout_graceful_shutdown=2,
                http=Protocol,  # as the real server
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        service = ServiceUnderTest(manifest, runtime, key, f"http://127.0.0.1:{port}", urls)
        try:
            await _ready(service, serving)
            yield service
        finally:
            await service.close()
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving


async def _ready(service: ServiceUnderTest, serving: "asyncio.Task[None]") -> None:
    client = service.anonymous()  # not closed: its transport is every client's
    async with asyncio.timeout(30):
        while True:
            if serving.done():
                serving.result()
                raise RuntimeError("the service ended at once")
            with suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


DatabaseFactory = Callable[[str], ServiceUrls]
