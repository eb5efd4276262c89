"""A campaign's life, through the public door."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm_contracts.ids import ContactId, SegmentId, TemplateId

Shop = Any  # the fixture's class lives in conftest.py, which is no module to import from


async def test_a_campaign_runs_from_draft_to_sent_and_says_so(shop: Shop) -> None:
    [(contact_id, _)] = await shop.people(1)
    campaign = await shop.campaign(contact_id)
    assert (campaign["status"], campaign["channel"], campaign["purpose"]) == ("draft", "email", "marketing")
    await shop.run(campaign)
    events = await shop.service.events("crm.campaigns.campaign", key=campaign["id"], at_least=4)
    assert [event.action for event in events] == ["created", "scheduled", "started", "finished"]
    now = await shop.tenant.read(f"/v1/campaigns/{campaign['id']}")
    assert events[-1].entity == now
    assert now["scheduled_at"] <= now["started_at"] <= now["finished_at"]


async def test_nothing_starts_before_its_time(shop: Shop) -> None:
    [(contact_id, address)] = await shop.people(1)
    campaign = await shop.campaign(contact_id)
    at = datetime.now(UTC) + timedelta(seconds=2)
    scheduled = await shop.act(campaign, "schedule", at=at.isoformat())
    assert (scheduled["status"], datetime.fromisoformat(scheduled["scheduled_at"])) == ("scheduled", at)
    await asyncio.sleep(1)
    assert await shop.messages(campaign) == {}
    done = await shop.until(campaign, "sent")
    assert datetime.fromisoformat(done["started_at"]) >= at
    assert len(shop.mail.to(address)) == 1


async def test_an_empty_segment_is_a_campaign_without_messages(shop: Shop) -> None:
    campaign = await shop.campaign()
    assert await shop.run(campaign) == {}
    report = await shop.tenant.read(f"/v1/campaigns/{campaign['id']}/report")
    assert (report["status"], report["total"], report["by_status"]) == ("sent", 0, {})


async def test_schedule_takes_no_body_and_honours_if_match(shop: Shop) -> None:
    campaign = await shop.campaign()
    path = f"/v1/campaigns/{campaign['id']}/schedule"
    stale = await shop.client.post(path, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    answer = await shop.client.post(path, headers={"If-Match": '"1"'})
    assert answer.status_code == 200
    assert (answer.headers["etag"], answer.headers["consistency-token"]) == ('"2"', f"{campaign['id']}@2")


async def test_only_email_can_be_sent(shop: Shop) -> None:
    template = await shop.template(channel="sms", subject=None)
    campaign = await shop.campaign(ContactId.new(), template=template, channel="sms")
    answer = await shop.client.post(f"/v1/campaigns/{campaign['id']}/schedule")
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/channel", "not_supported")
    assert "e-mail" in error["detail"]


async def test_what_a_campaign_needs_must_exist(shop: Shop) -> None:
    body = {"name": "C", "segment_id": SegmentId.new(), "template_id": TemplateId.new()}
    answer = await shop.client.post("/v1/campaigns", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/segment_id", "/template_id"]
    template = await shop.template(channel="sms", subject=None)
    segment = await shop.segment()
    body = {"name": "C", "segment_id": segment["id"], "template_id": template["id"]}
    answer = await shop.client.post("/v1/campaigns", json=body)
    assert [error["code"] for error in answer.json()["errors"]] == ["other_channel"]

    campaign = await shop.campaign()
    assert (await shop.client.delete(f"/v1/templates/{campaign['template_id']}")).status_code == 204
    answer = await shop.client.post(f"/v1/campaigns/{campaign['id']}/schedule")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/template_id"]


async def test_what_a_scheduled_campaign_says_is_settled(shop: Shop) -> None:
    [(contact_id, address)] = await shop.people(1)
    template = await shop.template(subject="Old")
    campaign = await shop.campaign(contact_id, template=template)
    await shop.act(campaign, "schedule", at=(datetime.now(UTC) + timedelta(seconds=1)).isoformat())
    changed = await shop.client.patch(f"/v1/templates/{template['id']}", json={"subject": "New"})
    assert changed.status_code == 200
    assert (await shop.client.delete(f"/v1/templates/{template['id']}")).status_code == 204
    await shop.until(campaign, "sent")
    assert (await shop.mail_to(address)).message["Subject"] == "Old"


@pytest.mark.parametrize(
    ("before", "action", "allowed"),
    [
        ([], "pause", False),
        ([], "resume", False),
        ([], "cancel", True),
        (["schedule"], "schedule", True),
        (["schedule"], "pause", True),
        (["schedule"], "resume", False),
        (["schedule", "pause"], "schedule", False),
        (["schedule", "pause"], "resume", True),
        (["schedule", "pause"], "cancel", True),
        (["cancel"], "schedule", False),
        (["cancel"], "resume", False),
        (["cancel"], "cancel", False),
    ],
)
async def test_the_status_decides_what_can_be_done(shop: Shop, before: list[str], action: str, allowed: bool) -> None:
    campaign = await shop.campaign()
    later = {"at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    for step in before:
        campaign = await shop.act(campaign, step, **(later if step == "schedule" else {}))
    body = later if action == "schedule" else {}
    answer = await shop.client.post(f"/v1/campaigns/{campaign['id']}/{action}", json=body)
    if allowed:
        assert answer.status_code == 200, answer.text
        return
    assert (answer.status_code, answer.json()["code"]) == (409, "campaign_state")
    assert answer.json()["campaign_status"] == campaign["status"]
    assert await shop.tenant.read(f"/v1/campaigns/{campaign['id']}") == campaign


async def test_only_a_draft_can_be_edited_and_a_running_one_not_deleted(shop: Shop) -> None:
    campaign = await shop.campaign()
    path = f"/v1/campaigns/{campaign['id']}"
    assert (await shop.client.patch(path, json={"name": "Summer"})).json()["name"] == "Summer"
    await shop.act(campaign, "schedule", at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert (await shop.client.patch(path, json={"name": "Autumn"})).json()["code"] == "campaign_state"
    assert (await shop.client.delete(path)).json()["code"] == "campaign_state"
    in_use = await shop.client.delete(f"/v1/segments/{campaign['segment_id']}")
    assert (in_use.status_code, in_use.json()["code"]) == (409, "segment_in_use")
    assert in_use.json()["campaign_id"] == campaign["id"]
    await shop.act(campaign, "cancel")
    assert (await shop.client.delete(path)).status_code == 204
    assert (await shop.client.delete(f"/v1/segments/{campaign['segment_id']}")).status_code == 204


class Gate:
    """A mail server that keeps everybody waiting until it is opened."""

    def __init__(self) -> None:
        self.opened = False
        self.waiting = 0

    async def answer(self, _delivery: Any) -> str:
        self.waiting += 1
        for _ in range(300):
            if self.opened:
                break
            await asyncio.sleep(0.01)
        return "250 OK"


async def _held_up(shop: Shop, count: int) -> tuple[dict[str, Any], list[tuple[str, str]], Gate]:
    """A campaign to many of which the first letters are under way."""
    gate = Gate()
    people = await shop.people(count)
    shop.mail.answers.update({address: gate.answer for _, address in people})
    campaign = await shop.campaign(*[contact_id for contact_id, _ in people])
    await shop.act(campaign, "schedule")
    async with asyncio.timeout(10):
        while not gate.waiting:
            await asyncio.sleep(0.01)
    return campaign, people, gate


async def test_a_pause_stops_sending_and_resuming_sends_the_rest_once(shop: Shop) -> None:
    campaign, people, gate = await _held_up(shop, 50)
    paused = await shop.act(campaign, "pause")
    assert paused["status"] == "paused"
    gate.opened = True
    await asyncio.sleep(2.5)
    sent = sum(len(shop.mail.to(address)) for _, address in people)
    assert 0 < sent <= 8  # those that were under way
    assert (await shop.tenant.read(f"/v1/campaigns/{campaign['id']}"))["status"] == "paused"
    assert (await shop.act(campaign, "resume"))["status"] == "sending"
    await shop.until(campaign, "sent")
    assert [len(shop.mail.to(address)) for _, address in people] == [1] * 50
    assert {message["status"] for message in (await shop.messages(campaign)).values()} == {"sent"}
    events = await shop.service.events("crm.campaigns.campaign", key=campaign["id"], at_least=6)
    assert [event.action for event in events[-3:]] == ["paused", "updated", "finished"]


async def test_a_cancelled_campaign_sends_nothing_more_and_its_queue_is_cancelled(shop: Shop) -> None:
    campaign, people, gate = await _held_up(shop, 50)
    cancelled = await shop.act(campaign, "cancel")
    assert cancelled["finished_at"] is not None
    gate.opened = True
    async with asyncio.timeout(20):
        while {m["status"] for m in (await shop.messages(campaign)).values()} & {"queued", "sending"}:
            await asyncio.sleep(0.05)
    messages = await shop.messages(campaign)
    sent = [address for contact_id, address in people if contact_id in messages if shop.mail.to(address)]
    assert 0 < len(sent) <= 8
    by_status = (await shop.tenant.read(f"/v1/campaigns/{campaign['id']}/report"))["by_status"]
    assert by_status == {"sent": len(sent), "cancelled": len(messages) - len(sent)}
    waiting = next(m for m in messages.values() if m["status"] == "cancelled")
    events = await shop.service.events("crm.campaigns.message", key=waiting["id"], at_least=2)
    assert [event.action for event in events] == ["queued", "cancelled"]
    assert (await shop.tenant.read(f"/v1/campaigns/{campaign['id']}"))["status"] == "cancelled"


async def test_whoever_belongs_twice_or_comes_again_gets_one_message(shop: Shop) -> None:
    people = await shop.people(45)  # more than two batches
    ids = [contact_id for contact_id, _ in people]
    campaign = await shop.campaign(*ids)
    members = f"/v1/segments/{campaign['segment_id']}/members"
    await shop.post(members, contact_ids=ids[:5])
    await shop.act(campaign, "schedule")
    for contact_id in ids[:3]:  # while it is running
        await shop.client.delete(f"{members}/{contact_id}")
        await shop.post(members, contact_ids=[contact_id])
    await shop.until(campaign, "sent")
    assert [len(shop.mail.to(address)) for _, address in people] == [1] * 45
