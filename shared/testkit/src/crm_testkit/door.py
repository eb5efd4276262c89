"""The front door under test: a service with keys of its own, before stand-ins for those behind it."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from crm_kit.db.provision import ServiceUrls
from crm_kit.http.principal import Authenticator
from crm_kit.manifest import Manifest
from crm_kit.runtime import ALL_ROLES, Role, Runtime
from joserfc.jwk import OKPKey

from crm_testkit.service import ServiceUnderTest, running_service
from crm_testkit.stand_in import StandIn, running_stand_in

ADMIN_KEY = "only-for-tests-admin-0123456789abcdef"
BEHIND = ("contacts", "pipeline", "tickets", "campaigns")


@dataclass(frozen=True)
class Keyholder:
    """A tenant with its first key; `client` sends that."""

    id: str
    key: str
    client: httpx.AsyncClient


class Door:
    """A running front door. `behind` are the stand-ins by service."""

    def __init__(self, service: ServiceUnderTest, authenticator: Authenticator, behind: Mapping[str, StandIn]) -> None:
        self.service = service
        self.authenticator = authenticator
        self.behind = behind

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        client = self.service.anonymous()
        if key is not None:
            client.headers["Authorization"] = f"Bearer {key}"
        return client

    @property
    def admin(self) -> httpx.AsyncClient:
        return self.client(ADMIN_KEY)

    async def tenant(self, name: str = "West Lake", region: str = "CN") -> Keyholder:
        """A fresh tenant through the public door."""
        response = await self.admin.post("/v1/tenants", json={"name": name, "region": region})
        assert response.status_code == 201, response.text
        made = response.json()
        return Keyholder(made["id"], made["api_key"], self.client(made["api_key"]))

    async def key(self, holder: Keyholder, *scopes: str, **body: Any) -> httpx.AsyncClient:
        """A client with a further key of the tenant."""
        response = await holder.client.post("/v1/api-keys", json={"name": "Further", "scopes": scopes, **body})
        assert response.status_code == 201, response.text
        return self.client(response.json()["key"])


@asynccontextmanager
async def running_door(
    manifest: Manifest,
    authenticator: Callable[[Runtime], Authenticator],
    urls: ServiceUrls,
    event_log_url: str,
    folder: Path,
    *,
    roles: Sequence[Role] = ALL_ROLES,
    **settings: Any,
) -> AsyncIterator[Door]:
    """Serves the gateway's `manifest`; `settings` may point single services elsewhere (`tickets_url=…`)."""
    signing_key = folder / "signing_key.json"
    signing_key.write_text(
        json.dumps(OKPKey.generate_key("Ed25519", {"kid": "door"}, private=True).as_dict(private=True))
    )
    made: list[Authenticator] = []

    def make(runtime: Runtime) -> Authenticator:
        made.append(authenticator(runtime))
        return made[0]

    async with AsyncExitStack() as stack:
        behind = {name: await stack.enter_async_context(running_stand_in()) for name in BEHIND}
        wanted = {f"{name}_url": stand_in.url for name, stand_in in behind.items()}
        wanted |= {"signing_key_file": str(signing_key), "admin_key": ADMIN_KEY, **settings}
        service = await stack.enter_async_context(
            running_service(manifest, urls, event_log_url, folder, roles=roles, authenticator=make, **wanted)
        )
        yield Door(service, made[0], behind)
