"""What a crash, a second worker and a slow server may do: at least once, and recognisable."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from campaigns_svc.manifest import MANIFEST
from crm_kit.db.provision import ServiceUrls
from crm_testkit.service import running_service
from crm_testkit.smtp import Delivery, MailServer

Databases = Callable[[str], ServiceUrls]
ShopOf = Callable[[Any], Any]
Settings = Callable[..., dict[str, Any]]


async def test_a_crash_between_smtp_and_commit_repeats_the_mail_under_one_message_id(
    postgres_database: Databases,
    event_log_database: Callable[[], str],
    tmp_path: Path,
    mail_server: MailServer,
    shop_of: ShopOf,
    settings_for: Settings,
) -> None:
    urls, log = postgres_database("campaigns"), event_log_database()
    settings = settings_for(mail_server, smtp_timeout_seconds=1.5, send_lease_seconds=2.0)
    taken: list[Delivery] = []

    async def take_and_fall_silent(delivery: Delivery) -> str:
        """The server has the letter; that it said so is never heard the first time."""
        taken.append(delivery)
        if len(taken) == 1:
            await asyncio.sleep(1)
        return "250 OK"

    async with running_service(MANIFEST, urls, log, tmp_path, shutdown_grace_seconds=0.1, **settings) as first:
        shop = shop_of(first)
        [(contact_id, address)] = await shop.people(1)
        mail_server.answers[address] = take_and_fall_silent
        campaign = await shop.campaign(contact_id)
        await shop.act(campaign, "schedule")
        async with asyncio.timeout(10):
            while not taken:
                await asyncio.sleep(0.01)
        [message] = (await shop.messages(campaign)).values()
        assert message["status"] == "sending"
    # That process is gone: its time to end was over while it waited for the server's answer.

    async with running_service(MANIFEST, urls, log, tmp_path, **settings) as second:
        again = shop_of(second)
        again.tenant = second.tenant(shop.tenant.id)
        again.client = again.tenant.client
        await again.until(campaign, "sent")
        [message] = (await again.messages(campaign)).values()
        assert (message["status"], message["reason"]) == ("sent", None)
        assert len(taken) == 2
        assert {delivery.message["Message-ID"] for delivery in taken} == {f"<{message['id']}@shop.example>"}
        events = await second.events("crm.campaigns.message", key=message["id"], at_least=4)
        assert [event.action for event in events] == ["queued", "updated", "updated", "sent"]


async def test_a_consent_withdrawn_after_a_crash_stops_the_repetition(
    postgres_database: Databases,
    event_log_database: Callable[[], str],
    tmp_path: Path,
    mail_server: MailServer,
    shop_of: ShopOf,
    settings_for: Settings,
) -> None:
    urls, log = postgres_database("campaigns"), event_log_database()
    settings = settings_for(mail_server, smtp_timeout_seconds=1.5, send_lease_seconds=2.0)
    offered: list[Delivery] = []

    async def never_answer(delivery: Delivery) -> str:
        offered.append(delivery)
        await asyncio.sleep(1)
        return "451 too late"

    async with running_service(MANIFEST, urls, log, tmp_path, shutdown_grace_seconds=0.1, **settings) as first:
        shop = shop_of(first)
        [(contact_id, address)] = await shop.people(1)
        mail_server.answers[address] = never_answer
        campaign = await shop.campaign(contact_id)
        await shop.act(campaign, "schedule")
        async with asyncio.timeout(10):
            while not offered:
                await asyncio.sleep(0.01)
    async with running_service(MANIFEST, urls, log, tmp_path, roles=("api", "relay", "consume"), **settings) as second:
        shop.service, shop.tenant = second, second.tenant(shop.tenant.id)
        await shop.publish(shop.consent(contact_id, "withdrawn", 2))
    async with running_service(MANIFEST, urls, log, tmp_path, **settings) as third:
        shop.service, shop.tenant = third, third.tenant(shop.tenant.id)
        await shop.until(campaign, "sent")
        [message] = (await shop.messages(campaign)).values()
        assert (message["status"], message["reason"]) == ("failed", "interrupted")
        assert len(offered) == 1


async def test_two_workers_write_to_everybody_once(
    postgres_database: Databases,
    event_log_database: Callable[[], str],
    tmp_path: Path,
    mail_server: MailServer,
    shop_of: ShopOf,
    settings_for: Settings,
) -> None:
    urls, log = postgres_database("campaigns"), event_log_database()
    settings = settings_for(mail_server)
    async with (
        running_service(MANIFEST, urls, log, tmp_path, **settings) as first,
        running_service(MANIFEST, urls, log, tmp_path, roles=("timers",), **settings),
    ):
        shop = shop_of(first)
        people = await shop.people(90)
        await shop.run(await shop.campaign(*[contact_id for contact_id, _ in people]))
        assert [len(mail_server.to(address)) for _, address in people] == [1] * 90


async def test_without_a_mail_server_messages_fail_and_say_why(
    postgres_database: Databases, event_log_database: Callable[[], str], tmp_path: Path, shop_of: ShopOf
) -> None:
    async with running_service(MANIFEST, postgres_database("campaigns"), event_log_database(), tmp_path) as service:
        shop = shop_of(service)
        [(contact_id, _), (skipped, _)] = [*(await shop.people(1)), *(await shop.people(1, consent=None))]
        messages = await shop.run(await shop.campaign(contact_id, skipped))
        assert (messages[contact_id]["status"], messages[contact_id]["reason"]) == ("failed", "smtp_not_configured")
        assert messages[skipped]["reason"] == "no_consent"


async def test_a_server_that_cannot_be_reached_is_tried_so_often(
    postgres_database: Databases,
    event_log_database: Callable[[], str],
    tmp_path: Path,
    mail_server: MailServer,
    shop_of: ShopOf,
    settings_for: Settings,
) -> None:
    settings = settings_for(mail_server, smtp_port=1, smtp_attempts=2)
    urls, log = postgres_database("campaigns"), event_log_database()
    async with running_service(MANIFEST, urls, log, tmp_path, **settings) as service:
        shop = shop_of(service)
        [(contact_id, _)] = await shop.people(1)
        [message] = (await shop.run(await shop.campaign(contact_id))).values()
        assert (message["status"], message["reason"]) == ("failed", "smtp_unreachable")
        events = await service.events("crm.campaigns.message", key=message["id"], at_least=5)
        assert [event.action for event in events] == ["queued", "updated", "updated", "updated", "failed"]


async def test_who_withdraws_after_a_letter_that_may_have_arrived_is_not_told_that_it_was_skipped(
    postgres_database: Databases,
    event_log_database: Callable[[], str],
    tmp_path: Path,
    mail_server: MailServer,
    shop_of: ShopOf,
    settings_for: Settings,
) -> None:
    urls, log = postgres_database("campaigns"), event_log_database()
    settings = settings_for(mail_server, smtp_timeout_seconds=1.0, smtp_retry_seconds=2.0)
    taken: list[Delivery] = []

    async def take_and_fall_silent(delivery: Delivery) -> str:
        taken.append(delivery)
        await asyncio.sleep(1.5)
        return "250 OK"

    async def refuse(_: Delivery) -> str:
        return "451 later"

    async with running_service(MANIFEST, urls, log, tmp_path, **settings) as service:
        shop = shop_of(service)
        [(silent, address), (refused, other)] = await shop.people(2)
        mail_server.answers[address], mail_server.answers[other] = take_and_fall_silent, refuse
        campaign = await shop.campaign(silent, refused)
        await shop.act(campaign, "schedule")
        async with asyncio.timeout(10):
            while {one["status"] for one in (await shop.messages(campaign)).values()} != {"queued"} or not taken:
                await asyncio.sleep(0.01)
        await shop.publish(shop.consent(silent, "withdrawn", 2), shop.consent(refused, "withdrawn", 2))
        await shop.until(campaign, "sent")
        messages = await shop.messages(campaign)
        assert (messages[silent]["status"], messages[silent]["reason"]) == ("failed", "interrupted")
        assert (messages[refused]["status"], messages[refused]["reason"]) == ("skipped", "withdrawn")
        assert len(taken) == 1
