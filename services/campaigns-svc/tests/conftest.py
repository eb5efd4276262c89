"""One running campaigns-svc with a real mail server for all tests of this service, and the world around it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from campaigns_svc.manifest import MANIFEST
from crm_contracts.envelope import Event
from crm_contracts.ids import AccountId, ConsentId, ContactId, EventId
from crm_contracts.registry import ACCOUNT, CONSENT, CONTACT, Topic
from crm_kit.db.provision import ServiceUrls
from crm_testkit.service import ServiceUnderTest, running_service
from crm_testkit.smtp import Delivery, MailServer

CONTACT_STATE: dict[str, Any] = {
    **dict.fromkeys(
        ["first_name", "last_name", "full_name", "wechat", "title", "account_id", "address", "language", "birthday"]
    ),
    **dict.fromkeys(["source", "owner_id", "team_id"]),
    "emails": [],
    "phones": [],
    "lifecycle_stage": "lead",
    "external_ids": {},
    "tags": [],
    "custom": {},
}
ACCOUNT_STATE: dict[str, Any] = {
    **dict.fromkeys(["domain", "industry", "size", "parent_id", "phone", "address", "owner_id", "team_id"]),
    "lifecycle_stage": "lead",
    "external_ids": {},
    "tags": [],
    "custom": {},
}

MAIL_FROM = "商店 <news@shop.example>"
PUBLIC_URL = "https://crm.shop.example"


def mail_settings(mail_server: MailServer, **others: Any) -> dict[str, Any]:
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": mail_server.port,
        "smtp_timeout_seconds": 5.0,
        "smtp_retry_seconds": 0.1,
        "smtp_attempts": 3,
        "send_lease_seconds": 8.0,
        "mail_from": MAIL_FROM,
        "public_url": PUBLIC_URL,
        "campaign_batch_size": 20,
        **others,
    }


class Shop:
    """A tenant of campaigns-svc, with contacts and consents that arrive by events as from contacts-svc."""

    _numbers = itertools.count(1)

    def __init__(self, service: ServiceUnderTest, mail_server: MailServer) -> None:
        self.service = service
        self.mail = mail_server
        self.tenant = service.tenant()
        self.client = self.tenant.client

    def event(self, topic: Topic, action: str, entity_id: str, version: int, entity: dict[str, Any] | None) -> Event:
        now = datetime.now(UTC)
        stamps = {"id": entity_id, "version": version, "created_at": now, "updated_at": now}
        body = None
        if entity is not None:
            body = topic.model.model_validate({**entity, **stamps}).model_dump(mode="json")
        return Event(
            id=EventId.new(),
            source="/relata/contacts",
            type=topic.event_type(action),
            subject=entity_id,
            time=now,
            tenant_id=self.tenant.id,
            sequence=version,
            entity=body,
        )

    def contact(self, contact_id: str, version: int = 1, action: str = "created", **fields: Any) -> tuple[str, Event]:
        return CONTACT.name, self.event(CONTACT, action, contact_id, version, {**CONTACT_STATE, **fields})

    def account(self, account_id: str, version: int = 1, **fields: Any) -> tuple[str, Event]:
        return ACCOUNT.name, self.event(ACCOUNT, "created", account_id, version, {**ACCOUNT_STATE, **fields})

    def consent(self, contact_id: str, status: str = "granted", number: int = 1, **fields: Any) -> tuple[str, Event]:
        entity = {
            "contact_id": contact_id,
            "number": number,
            "channel": "email",
            "purpose": "marketing",
            "status": status,
            "legal_basis": "consent",
            "source": "form",
            "wording": None,
            "evidence": {},
            "at": datetime.now(UTC) - timedelta(days=1),
            "expires_at": None,
            "actor_id": None,
            **fields,
        }
        return CONSENT.name, self.event(CONSENT, status, fields.pop("id", None) or ConsentId.new(), 1, entity)

    async def publish(self, *events: tuple[str, Event]) -> None:
        """Returns when this service has applied them."""
        await self.service.publish(*events)
        await self.settle()

    async def settle(self) -> None:
        topics = [CONTACT.name, ACCOUNT.name, CONSENT.name]
        async with asyncio.timeout(20):
            while any(
                lag.behind for lag in (await self.service.runtime.event_log.lag("campaigns.contacts", topics)).values()
            ):
                await asyncio.sleep(0.05)

    async def people(self, count: int, *, consent: str | None = "granted", **fields: Any) -> list[tuple[str, str]]:
        """(id, address) of new contacts."""
        found, events = [], []
        for _ in range(count):
            contact_id, address = ContactId.new(), f"person.{next(self._numbers)}@example.com"
            emails = [{"address": address, "primary": True, "verified": False}]
            events.append(self.contact(contact_id, **{"full_name": "李雷", "emails": emails, **fields}))
            if consent is not None:
                events.append(self.consent(contact_id, consent))
            found.append((contact_id, address))
        await self.publish(*events)
        return found

    async def template(self, **fields: Any) -> dict[str, Any]:
        body = {"name": "News", "subject": "Hello {{ contact.full_name }}", "body_text": "Dear {{ contact.full_name }}"}
        return await self.tenant.create("/v1/templates", **{**body, **fields})

    async def segment(self, *contact_ids: str) -> dict[str, Any]:
        segment = await self.tenant.create("/v1/segments", name="Everybody")
        if contact_ids:
            await self.post(f"/v1/segments/{segment['id']}/members", contact_ids=list(contact_ids))
        return segment

    async def campaign(
        self, *contact_ids: str, template: dict[str, Any] | None = None, **fields: Any
    ) -> dict[str, Any]:
        """A draft to these contacts."""
        template = template or await self.template()
        segment = await self.segment(*contact_ids)
        body = {"name": "Spring", "segment_id": segment["id"], "template_id": template["id"], **fields}
        return await self.tenant.create("/v1/campaigns", **body)

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """POSTs and expects 200."""
        answer = await self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def act(self, campaign: dict[str, Any], action: str, **body: Any) -> dict[str, Any]:
        return await self.post(f"/v1/campaigns/{campaign['id']}/{action}", **body)

    async def run(self, campaign: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Schedules it and waits for its end; its messages by contact."""
        await self.act(campaign, "schedule")
        await self.until(campaign, "sent")
        return await self.messages(campaign)

    async def until(self, campaign: dict[str, Any], status: str) -> dict[str, Any]:
        async with asyncio.timeout(40):
            while True:
                now = await self.tenant.read(f"/v1/campaigns/{campaign['id']}")
                if now["status"] == status:
                    return now
                await asyncio.sleep(0.05)

    async def messages(self, campaign: dict[str, Any], **filters: str) -> dict[str, dict[str, Any]]:
        page = await self.tenant.read("/v1/messages", campaign_id=campaign["id"], limit=200, **filters)
        return {message["contact_id"]: message for message in page["data"]}

    async def until_messages(self, campaign: dict[str, Any], count: int, **filters: str) -> dict[str, dict[str, Any]]:
        """The messages that fit, once there are `count`."""
        async with asyncio.timeout(20):
            while len(found := await self.messages(campaign, **filters)) != count:
                await asyncio.sleep(0.05)
        return found

    async def mail_to(self, address: str) -> Delivery:
        """The one mail that this address got."""
        async with asyncio.timeout(20):
            while not (found := self.mail.to(address)):
                await asyncio.sleep(0.05)
        [delivery] = found
        return delivery

    def local(self, url: str) -> str:
        """A link of a mail, at the service itself instead of the gateway."""
        return url.replace(PUBLIC_URL, self.service.url)


@pytest_asyncio.fixture(scope="session")
async def service(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
    mail_server: MailServer,
) -> AsyncIterator[ServiceUnderTest]:
    folder = tmp_path_factory.mktemp("campaigns")
    urls, log = postgres_database("campaigns"), event_log_database()
    before = "the-one-before-0123456789-abcdefgh"
    settings = mail_settings(mail_server) | {"secret_fallbacks": before}
    async with running_service(MANIFEST, urls, log, folder, **settings) as running:
        yield running


@pytest.fixture
def shop(service: ServiceUnderTest, mail_server: MailServer) -> Shop:
    return Shop(service, mail_server)


@pytest.fixture
def shop_of(mail_server: MailServer) -> Callable[[ServiceUnderTest], Shop]:
    """For tests that run a service of their own."""
    return lambda running: Shop(running, mail_server)


@pytest.fixture
def settings_for() -> Callable[..., dict[str, Any]]:
    return mail_settings


@pytest.fixture
def new_account_id() -> str:
    return AccountId.new()
