"""Wall clocks that are wrong for a while: nothing is lost, doubled or reordered, and no wrong time outlives its clock."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from crm_local.configuration import PROCESSES, Configuration
from crm_local.run_folder import temporary_run_dir
from crm_testkit.chaos.clocks import can_move_clocks
from crm_testkit.chaos.stack import ChaosStack
from crm_testkit.smtp import MailServer
from crm_testkit.whole_stack import bearer
from crm_testkit.writers import until

pytestmark = [pytest.mark.long, pytest.mark.skipif(not can_move_clocks(), reason="needs a C compiler and LD_PRELOAD")]


class Clinic:
    """A stack with movable clocks, its demo tenant, and the mail it sent."""

    def __init__(self, stack: ChaosStack, client: httpx.AsyncClient, mail: MailServer) -> None:
        self.stack = stack
        self.client = client
        self.mail = mail

    @contextmanager
    def clocks_off(self, by: timedelta, *names: str) -> Iterator[None]:
        """The processes' clocks, all of them if none is named, are wrong while the block lasts."""
        assert self.stack.clocks is not None
        try:
            for name in names or PROCESSES:
                self.stack.clocks.move(name, by.total_seconds())
            yield
        finally:
            for name in names or PROCESSES:
                self.stack.clocks.move(name, 0)

    async def post(self, path: str, body: Any, key: str | None = None) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.client.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def person(self) -> tuple[str, str]:
        address = f"{uuid.uuid4()}@example.com"
        contact = await self.post("/v1/contacts", {"full_name": "王伟", "emails": [{"address": address}]})
        return str(contact["id"]), address

    async def consent(self, contact_id: str, status: str, **members: Any) -> None:
        body = {"channel": "email", "purpose": "marketing", "source": "form", "status": status, **members}
        await self.post(f"/v1/contacts/{contact_id}/consents", body)

    async def campaign(self, contact_id: str) -> str:
        segment = await self.post("/v1/segments", {"name": "All"})
        await self.post(f"/v1/segments/{segment['id']}/members", {"contact_ids": [contact_id]})
        template = {"name": "T", "channel": "email", "subject": "S", "body_text": "B"}
        references = {"segment_id": segment["id"], "template_id": (await self.post("/v1/templates", template))["id"]}
        return str((await self.post("/v1/campaigns", {"name": "C", "channel": "email", **references}))["id"])

    async def message(self, campaign_id: str) -> dict[str, Any]:
        """The campaign's one message, once the campaign is through."""

        async def is_through() -> bool:
            return bool((await self.client.get(f"/v1/campaigns/{campaign_id}")).json()["status"] == "sent")

        await until(is_through, seconds=30)
        [message] = (await self.client.get("/v1/messages", params={"campaign_id": campaign_id})).json()["data"]
        return dict(message)


@pytest.fixture(scope="module")
async def clinic(mail_server: MailServer) -> AsyncIterator[Clinic]:
    with temporary_run_dir() as folder:
        environment = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mail_server.port), "MAIL_FROM": "crm@example.com"}
        async with (
            ChaosStack(Configuration(run_dir=Path(folder)), environment) as stack,
            httpx.AsyncClient(
                base_url=stack.urls["gateway"], headers=bearer(stack.dev["api_key"]), timeout=30
            ) as client,
        ):
            yield Clinic(stack, client, mail_server)


@pytest.mark.parametrize("by", [timedelta(minutes=5), timedelta(minutes=-5)])
async def test_when_the_gateways_clock_is_right_again_services_accept_its_tokens_again(
    clinic: Clinic, by: timedelta
) -> None:
    with clinic.clocks_off(by, "gateway"):
        assert (await clinic.client.get("/v1/contacts")).status_code == 502
    assert (await clinic.client.get("/v1/contacts")).status_code == 200


async def test_a_repeated_post_has_its_effect_once_though_the_clock_says_two_days_have_passed(clinic: Clinic) -> None:
    key = str(uuid.uuid4())
    first = await clinic.post("/v1/contacts", {"full_name": "李娜"}, key)
    with clinic.clocks_off(timedelta(days=2)):
        await clinic.stack.restart("contacts")  # one that starts begins with clearing up
        assert (await clinic.post("/v1/contacts", {"full_name": "李娜"}, key))["id"] == first["id"]
    assert (await clinic.post("/v1/contacts", {"full_name": "李娜"}, key))["id"] == first["id"]


async def test_what_was_begun_under_a_fast_clock_does_not_wait_for_that_time_to_come(clinic: Clinic) -> None:
    contact_id, address = await clinic.person()
    await clinic.consent(contact_id, "granted")
    with clinic.clocks_off(timedelta(minutes=5)):
        campaign_id = await clinic.campaign(contact_id)
        await clinic.post(f"/v1/campaigns/{campaign_id}/schedule", {})
    assert (await clinic.message(campaign_id))["status"] == "sent"
    assert len(clinic.mail.to(address)) == 1


async def test_a_withdrawal_counts_though_the_clock_was_set_back_since_the_consent(clinic: Clinic) -> None:
    contact_id, _ = await clinic.person()
    await clinic.consent(contact_id, "granted")
    with clinic.clocks_off(timedelta(minutes=-5)):
        await clinic.consent(contact_id, "withdrawn")
        state = (await clinic.client.get(f"/v1/contacts/{contact_id}/consents/state")).json()["data"]
    assert [entry["status"] for entry in state] == ["withdrawn"]


async def test_a_consent_that_is_over_is_over_though_the_clock_was_set_back(clinic: Clinic) -> None:
    contact_id, address = await clinic.person()
    campaign_id = await clinic.campaign(contact_id)
    now = datetime.now(UTC)
    await clinic.consent(contact_id, "granted", at=now.isoformat(), expires_at=(now + timedelta(seconds=1)).isoformat())
    with clinic.clocks_off(timedelta(minutes=-4)):
        await asyncio.sleep(1.2)
        await clinic.post(f"/v1/campaigns/{campaign_id}/schedule", {})
        assert (await clinic.message(campaign_id))["reason"] in ("expired", "withdrawn")
    assert clinic.mail.to(address) == []
