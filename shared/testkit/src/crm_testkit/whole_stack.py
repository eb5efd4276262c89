"""The whole stack under test, as `make run` starts it: five processes, PostgreSQL, an event log, a mailbox."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from crm_contracts.envelope import Event
from crm_kit.bus import Record
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_local.configuration import Bus, Configuration
from crm_local.credentials import ensure_credentials
from crm_local.demo.mailbox import Mailbox
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack

BOOKKEEPING = frozenset({"as_of", "version", "sources", "degraded"})
"""Members of a view that say when and how it was made, not what it says."""

# Generous: the machine also runs the stack, the broker and other tests.
_TIMEOUT_SECONDS = 60


async def new_tenant(stack: LocalStack, name: str, region: str = "CN") -> tuple[str, str]:
    """Its id, and a key that may read and write all of it."""
    headers = bearer(stack.dev["admin_key"])
    async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=_TIMEOUT_SECONDS) as client:
        response = await client.post("/v1/tenants", json={"name": name, "region": region})
    assert response.status_code == 201, response.text
    return str(response.json()["id"]), str(response.json()["api_key"])


@dataclass(frozen=True)
class Relata:
    """A running stack and the client of its demo tenant."""

    stack: LocalStack
    client: httpx.AsyncClient
    mailbox: Mailbox
    bus: Bus

    @property
    def gateway_url(self) -> str:
        return self.stack.urls["gateway"]

    async def new_tenant_key(self, name: str = "Another", region: str = "CN") -> str:
        return (await new_tenant(self.stack, name, region))[1]

    def client_of(self, key: object) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.gateway_url, headers=bearer(key), timeout=_TIMEOUT_SECONDS)

    def blocking_client(self, key: object | None = None) -> httpx.Client:
        """For code that runs in a thread, such as a state machine."""
        headers = bearer(key or self.stack.dev["api_key"])
        return httpx.Client(base_url=self.gateway_url, headers=headers, timeout=_TIMEOUT_SECONDS)

    async def publish(self, *events: tuple[str, Event]) -> None:
        """Puts events onto the embedded log past the services, such as none of this release would publish."""
        credentials = ensure_credentials(self.stack.folder.secrets)
        log = EmbeddedEventLog(credentials.event_log.url(self.stack.server_url), compaction_interval=0)
        await log.start()
        try:
            await log.publish([Record(topic, event.subject, event.value(), event.headers()) for topic, event in events])
        finally:
            await log.close()


def bearer(key: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@asynccontextmanager
async def running_stack(
    bus: Bus, kafka: str = "", *, fast: bool = True, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Relata]:
    """A fresh stack in a temporary folder. `fast` gives up durability against a kill of PostgreSQL itself.

    `settings`: variables that all of its processes have besides.
    """
    with temporary_run_dir() as folder:
        async with Mailbox() as mailbox:
            environment = {
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": str(mailbox.port),
                "MAIL_FROM": "Relata <crm@example.com>",
                **(settings or {}),
            }
            configuration = Configuration(run_dir=folder, bus=bus, kafka=kafka)
            async with LocalStack(configuration, environment=environment, fast=fast) as stack:
                headers = bearer(stack.dev["api_key"])
                async with httpx.AsyncClient(
                    base_url=stack.urls["gateway"], headers=headers, timeout=_TIMEOUT_SECONDS
                ) as client:
                    yield Relata(stack, client, mailbox, bus)


def differences(view: Mapping[str, Any], live: Mapping[str, Any], ignored: Iterable[str] = BOOKKEEPING) -> list[str]:
    """The members in which two views of one customer differ."""
    return sorted(name for name in {*view, *live} - {*ignored} if view.get(name) != live.get(name))
