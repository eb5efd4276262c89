"""SECRET, ADMIN_KEY and the signing key are rotated while the gateway is used: what was made under the old one counts until that goes."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from crm_kit.db.provision import ServiceUrls
from crm_testkit.door import ADMIN_KEY, Door, running_door
from crm_testkit.shops import Shop
from crm_testkit.stand_in import StandIn, running_stand_in
from crm_testkit.webhooks import Hooks
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST
from joserfc.jwk import OKPKey
from standardwebhooks import Webhook

pytestmark = pytest.mark.long

OLD = "the-old-secret-0123456789-abcdefgh"
NEW = "the-new-secret-9876543210-hgfedcba"


class Installation:
    """One database of a gateway. `open` starts a process before it, with secrets of its own; several may run at once."""

    def __init__(self, urls: ServiceUrls, event_log_url: str, folder: Path) -> None:
        self.urls = urls
        self.event_log_url = event_log_url
        self.folder = folder
        self.started = 0

    @asynccontextmanager
    async def open(self, secret: str, *fallbacks: str, **settings: Any) -> AsyncIterator[Door]:
        self.started += 1
        folder = self.folder / str(self.started)
        folder.mkdir()
        wanted = {"outbound_trusted_hosts": "127.0.0.1", "secret": secret, "secret_fallbacks": ",".join(fallbacks)}
        async with running_door(
            MANIFEST, make_authenticator, self.urls, self.event_log_url, folder, **wanted | settings
        ) as door:
            yield door

    def command(self, name: str, *options: str, secret: str, fallbacks: str = "") -> "subprocess.CompletedProcess[str]":
        """`python -m gateway <name>`, with these secrets."""
        key = OKPKey.generate_key("Ed25519", {"kid": "command"}, private=True)
        (self.folder / "key.json").write_text(json.dumps(key.as_dict(private=True)))
        services = {f"{each}_URL": "http://127.0.0.1:1" for each in ("CONTACTS", "PIPELINE", "TICKETS", "CAMPAIGNS")}
        environment = {
            "PATH": os.environ["PATH"],
            "ENVIRONMENT": "development",
            "GATEWAY_DATABASE_URL": self.urls.app,
            "GATEWAY_SYSTEM_DATABASE_URL": self.urls.system,
            "EVENT_LOG_URL": self.event_log_url,
            "SIGNING_KEY_FILE": str(self.folder / "key.json"),
            "ADMIN_KEY": ADMIN_KEY,
            "SECRET": secret,
            "SECRET_FALLBACKS": fallbacks,
            **services,
        }
        return subprocess.run(
            [sys.executable, "-m", "gateway", name, *options],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def says_of_secrets(self, secret: str, fallbacks: str = "") -> list[tuple[str, str]]:
        """State and sentence of what the doctor says."""
        found = self.command("doctor", "--json", secret=secret, fallbacks=fallbacks)
        return [(each["state"], each["sentence"]) for each in json.loads(found.stdout) if each["check"] == "secrets"]


@pytest.fixture
def installation(
    postgres_database: Callable[[str], ServiceUrls], event_log_database: Callable[[], str], tmp_path: Path
) -> Installation:
    return Installation(postgres_database("gateway"), event_log_database(), tmp_path)


@pytest.fixture
async def receiver() -> AsyncIterator[StandIn]:
    async with running_stand_in() as running:
        yield running


class Customer:
    """A tenant, and what it made at one gateway. `at` a gateway it uses that there."""

    def __init__(self, key: str, receiver: StandIn) -> None:
        self.key = key
        self.receiver = receiver
        self.endpoint: dict[str, Any] = {}
        self.source: dict[str, Any] = {}
        self.cursor = ""
        self.answer: dict[str, Any] = {}

    async def make(self, door: Door, name: str) -> None:
        """An endpoint, a source, a cursor and an answer that is sealed."""
        client = door.client(self.key)
        hooks = Hooks(client, self.receiver)
        self.endpoint = await hooks.subscribe(headers={"Authorization": f"Bearer {name}"})
        source = {"name": name, "kind": "generic", "system": name, "topic_header": "X-Topic"}
        self.source = await hooks.post("/v1/inbound-sources", 201, source)
        for number in range(2):
            await hooks.team(f"{name} {number}")
        self.cursor = (await hooks.get("/v1/teams", limit=1))["next_cursor"]
        self.answer = (await self._ask_for_a_key(client, name)).json()
        self.name = name

    async def _ask_for_a_key(self, client: httpx.AsyncClient, name: str) -> httpx.Response:
        body = {"name": name, "scopes": ["read"]}
        return await client.post("/v1/api-keys", json=body, headers={"Idempotency-Key": f"key-{name}"})

    async def page(self, door: Door) -> httpx.Response:
        return await door.client(self.key).get("/v1/teams", params={"limit": 1, "cursor": self.cursor})

    async def again(self, door: Door) -> httpx.Response:
        return await self._ask_for_a_key(door.client(self.key), self.name)

    async def deliver(self, door: Door) -> httpx.Response:
        return await Shop(door.service.anonymous(), self.source).standard({"id": 1}, **{"X-Topic": "thing.made"})

    async def is_told(self, door: Door) -> None:
        """Of something new, signed by its secret and with its header."""
        hooks = Hooks(door.client(self.key), self.receiver)
        team = await hooks.team("told")
        async with asyncio.timeout(30):
            while True:
                for asked in self.receiver.asked:
                    if (
                        json.loads(asked.body)["subject"] == team["id"]
                        and asked.headers["authorization"] == f"Bearer {self.name}"
                    ):
                        Webhook(self.endpoint["secret"]).verify(asked.body, asked.headers)
                        return
                await asyncio.sleep(0.05)

    async def uses_all(self, door: Door) -> None:
        page, again, delivered = await self.page(door), await self.again(door), await self.deliver(door)
        assert (page.status_code, again.status_code, delivered.status_code) == (200, 201, 200), (page.text, again.text)
        assert again.json() == self.answer
        assert again.headers["idempotent-replayed"] == "true"
        await self.is_told(door)


async def test_what_was_made_under_the_old_secret_counts_until_the_new_one_has_it_all(
    installation: Installation, receiver: StandIn
) -> None:
    async with installation.open(OLD) as door:
        customer = Customer((await door.tenant()).key, receiver)
        await customer.make(door, "before")
        await customer.uses_all(door)
    async with installation.open(NEW, OLD) as door:
        await customer.uses_all(door)
        later = Customer(customer.key, receiver)
        await later.make(door, "after")
        await later.uses_all(door)

    said = installation.says_of_secrets(NEW, OLD)
    assert {state for state, _ in said} == {"warning"}
    assert any("2 texts of webhook_endpoint are not sealed under the present SECRET" in text for _, text in said)
    assert all("run python -m gateway reencrypt" in text for _, text in said)
    done = installation.command("reencrypt", secret=NEW, fallbacks=OLD)
    assert done.returncode == 0, done.stderr
    assert "gateway: 3 texts sealed anew, under the present SECRET" in done.stdout  # secret and headers; the source's
    assert "gateway: 0 texts sealed anew" in installation.command("reencrypt", secret=NEW, fallbacks=OLD).stdout
    [(state, text)] = installation.says_of_secrets(NEW, OLD)
    assert (state, text.partition(".")[0]) == ("ok", "Nothing that lasts is sealed under a fallback of SECRET")

    async with installation.open(NEW) as door:
        await later.uses_all(door)
        assert (await customer.deliver(door)).status_code == 200
        await customer.is_told(door)
        for answer, status, code in (
            (await customer.page(door), 400, "invalid_cursor"),
            (await customer.again(door), 409, "conflict"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_secret_that_went_too_early_is_named_and_given_back_without_loss(
    installation: Installation, receiver: StandIn
) -> None:
    async with installation.open(OLD) as door:
        customer = Customer((await door.tenant()).key, receiver)
        await customer.make(door, "before")
    async with installation.open(NEW) as door:
        # It serves, and takes nothing that it cannot verify.
        assert (await door.client(customer.key).get("/v1/teams")).status_code == 200
        assert (await customer.deliver(door)).status_code == 404
        missed = await Hooks(door.client(customer.key), receiver).team("missed")
        said = installation.says_of_secrets(NEW)
        assert {state for state, _ in said} == {"fault"}
        for text in (text for _, text in said):
            assert "neither SECRET nor SECRET_FALLBACKS gives: give that value back in SECRET_FALLBACKS" in text
            assert OLD not in text
            assert NEW not in text
        done = installation.command("reencrypt", secret=NEW)
        assert done.returncode == 1
        assert "0 texts sealed anew" in done.stdout
    async with installation.open(NEW, OLD) as door:
        await customer.uses_all(door)
        told: set[tuple[str, str]] = set()
        async with asyncio.timeout(30):
            while (missed["id"], "delivered") not in told:
                found = await door.client(customer.key).get(
                    f"/v1/webhook-endpoints/{customer.endpoint['id']}/deliveries"
                )
                told = {(each["subject"], each["status"]) for each in found.json()["data"]}


async def test_gateways_with_the_old_and_the_new_secret_run_side_by_side(
    installation: Installation, receiver: StandIn
) -> None:
    async with AsyncExitStack() as stack:
        doors = [
            await stack.enter_async_context(installation.open(present, other))
            for present, other in ((OLD, NEW), (NEW, OLD))
        ]
        key = (await doors[0].tenant()).key
        customers = [Customer(key, receiver) for _ in doors]
        for number, (customer, door) in enumerate(zip(customers, doors, strict=True)):
            await customer.make(door, f"at {number}".replace(" ", "_"))
        for customer in customers:
            for door in doors:
                await customer.uses_all(door)


async def test_two_admin_keys_count_while_it_is_rotated(installation: Installation) -> None:
    next_key = "the-next-admin-key-0123456789"
    async with installation.open(OLD, admin_key_fallbacks=next_key) as door:
        for key, status in ((ADMIN_KEY, 201), (next_key, 201), (next_key + "x", 401)):
            answer = await door.client(key).post("/v1/tenants", json={"name": "Rotated", "region": "CN"})
            assert answer.status_code == status, answer.text


async def test_a_token_of_before_the_signing_key_was_rotated_is_good_where_its_key_is_published(
    installation: Installation, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        before = await stack.enter_async_context(installation.open(OLD, public_url="https://crm.example"))
        key = (await before.tenant()).key
        key_id = (await before.client(key).get("/v1/api-keys")).json()["data"][0]["id"]
        form = {"grant_type": "client_credentials", "client_id": key_id, "client_secret": key}
        token = (await before.client().post("/oauth/token", data=form)).json()["access_token"]
        published = before.service.runtime.settings.signing_key().as_dict(private=False)  # type: ignore[attr-defined]  # the gateway's
        own = OKPKey.generate_key("Ed25519", {"kid": "next"}, private=True)
        (tmp_path / "next.json").write_text(json.dumps(own.as_dict(private=True)))
        (tmp_path / "published.json").write_text(json.dumps({"keys": [published, own.as_dict(private=False)]}))
        rotated = {"signing_key_file": str(tmp_path / "next.json"), "public_url": "https://crm.example"}
        alone = await stack.enter_async_context(installation.open(OLD, **rotated))
        beside = await stack.enter_async_context(
            installation.open(OLD, **rotated, internal_jwks_file=str(tmp_path / "published.json"))
        )
        asked = [(await door.client(token).get("/v1/teams")).status_code for door in (before, alone, beside)]
        assert asked == [200, 401, 200]
