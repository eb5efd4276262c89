"""What is pushed to a receiver: everything, in its form, signed; again where it did not arrive, never to who is gone."""

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from crm_testkit.door import Door, Keyholder
from crm_testkit.passing_time import let_pass_for_webhooks
from crm_testkit.stand_in import Asked, Reply
from crm_testkit.webhooks import TAKEN, Hooks, place, until
from standardwebhooks import Webhook, WebhookVerificationError
from svix.webhooks import Webhook as SvixWebhook


async def test_an_event_arrives_as_a_signed_cloud_event(hooks: Hooks) -> None:
    made = await hooks.subscribe(headers={"Authorization": "Bearer theirs"})
    assert made["secret"].startswith("whsec_")
    assert made["header_names"] == ["Authorization"]
    assert "theirs" not in json.dumps(made)
    assert "secret" not in await hooks.get(place(made))
    team = await hooks.team("销售一部")
    [event] = await hooks.arrived(1)
    [asked] = hooks.receiver.asked
    assert asked.method == "POST"
    assert asked.headers["content-type"].startswith("application/cloudevents+json")
    assert asked.headers["authorization"] == "Bearer theirs"
    assert (event["type"], event["subject"], event["sequence"]) == ("crm.gateway.team.created.v1", team["id"], "1")
    assert event["data"]["entity"] == team
    assert event["hops"] == 0
    assert asked.headers["webhook-id"] == event["id"] == asked.headers["relata-causation-id"]
    assert asked.headers["relata-correlation-id"] == event["correlationid"]
    [delivery] = await hooks.delivered(made, 1)
    assert (delivery["event_id"], delivery["attempts"], delivery["response_status"]) == (event["id"], 1, 204)
    assert delivery["log"][0]["status"] == 204
    assert delivery == await hooks.get(f"{place(made)}/deliveries/{delivery['id']}")


def verifiers(secret: str) -> list[Any]:
    return [Webhook(secret), SvixWebhook(secret)]


def svix_named(headers: dict[str, str]) -> dict[str, str]:
    return headers | {name.replace("webhook-", "svix-"): value for name, value in headers.items()}


async def signed(hooks: Hooks, name: str) -> tuple[bytes, dict[str, str]]:
    hooks.receiver.asked.clear()
    await hooks.team(name)
    await hooks.arrived(1)
    asked = hooks.receiver.last
    return asked.body, svix_named(asked.headers)


async def test_public_libraries_verify_it_with_the_old_and_the_new_secret_while_it_rotates(hooks: Hooks) -> None:
    made = await hooks.subscribe()
    body, headers = await signed(hooks, "一")
    for verifier in verifiers(made["secret"]):
        verifier.verify(body, headers)
        for altered in (body + b" ", body.replace(b"created", b"deleted")):
            with pytest.raises(Exception, match=r"(?i)signature"):
                verifier.verify(altered, headers)
        late = headers | {
            "webhook-timestamp": str(int(time.time()) - 301),
            "svix-timestamp": str(int(time.time()) - 301),
        }
        with pytest.raises(Exception, match=r"(?i)old|signature"):
            verifier.verify(body, late)
    rotated = await hooks.post(f"{place(made)}/rotate-secret", 200, {"overlap_seconds": 3600})
    assert rotated["secret"] != made["secret"]
    await asyncio.sleep(1.5)  # what is known of an endpoint may be a second old
    body, headers = await signed(hooks, "二")
    for verifier in (*verifiers(made["secret"]), *verifiers(rotated["secret"])):
        verifier.verify(body, headers)
    last = await hooks.post(f"{place(made)}/rotate-secret", 200, {"overlap_seconds": 0})
    await asyncio.sleep(1.5)
    body, headers = await signed(hooks, "三")
    Webhook(last["secret"]).verify(body, headers)
    for other in (made["secret"], rotated["secret"]):
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(body, headers)


async def test_what_does_not_arrive_is_tried_again_under_its_id(hooks: Hooks) -> None:
    hooks.answer_in_turn(500, 204)
    made = await hooks.subscribe()
    await hooks.team("一")
    [waiting] = await hooks.delivered(made, 1, "waiting")
    assert waiting["next_attempt_at"] is not None
    [delivery] = await hooks.delivered(made, 1)
    first, second = hooks.receiver.asked
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
    assert [one["status"] for one in delivery["log"]] == [500, 204]


async def test_an_ordered_endpoint_is_told_of_each_entity_in_order(hooks: Hooks) -> None:
    """The second change of the first team comes after the first has arrived; the other team does not wait."""
    made = await hooks.subscribe(ordering="entity")
    failing = True

    def answer(asked: Asked) -> Reply:
        return Reply(500, {}, b"") if failing and b'"first"' in asked.body else TAKEN

    hooks.answer_by(answer)
    first, other = await hooks.team("first"), await hooks.team("other")
    await hooks.delivered(made, 1, "waiting")
    for number in range(3):
        await hooks.rename(first, f"first {number}")
        await hooks.rename(other, f"other {number}")
    await hooks.delivered(made, 4)
    assert [event["data"]["entity"]["name"] for event in hooks.events if event["subject"] == first["id"]] == ["first"]
    held = [one for one in await hooks.deliveries(made, status="waiting") if one["held"]]
    assert {one["subject"] for one in held} == {first["id"]}
    failing = False
    await hooks.delivered(made, 8)
    taken = [event for event in hooks.events if event["subject"] == first["id"]]
    assert [event["sequence"] for event in taken] == ["1", "1", "2", "3", "4"]


async def test_410_ends_it_and_says_so(hooks: Hooks) -> None:
    hooks.answer_in_turn(410)
    made = await hooks.subscribe()
    other = await hooks.subscribe(kinds=["webhook_endpoint.disabled"], url=None, transport="pull")
    await hooks.team("一")

    async def disabled() -> bool:
        return bool((await hooks.get(place(made)))["status"] == "disabled")

    await until(disabled)
    assert (await hooks.get(place(made)))["status_reason"] == "gone"
    await hooks.team("二")

    async def told() -> bool:
        return bool((await hooks.get(f"{place(other)}/events"))["data"])

    await until(told)
    [event] = (await hooks.get(f"{place(other)}/events"))["data"]
    assert (event["subject"], event["data"]["entity"]["status_reason"]) == (made["id"], "gone")
    assert len(hooks.receiver.asked) == 1
    resumed = await hooks.client.patch(place(made), json={"status": "active"})
    assert resumed.json()["status"] == "active"
    hooks.answer_by(lambda _: TAKEN)
    assert len(await hooks.arrived(2)) == 2


async def test_retry_after_is_waited_for(hooks: Hooks) -> None:
    hooks.answer_by(lambda _: Reply(429, {"Retry-After": "3600"}, b"slowly"))
    made = await hooks.subscribe()
    await hooks.team("一")
    [waiting] = await hooks.delivered(made, 1, "waiting")
    assert waiting["next_attempt_at"] > waiting["created_at"][:11] + "00"
    progress = await hooks.progress(made)
    assert progress["rest_until"] is not None
    await hooks.team("二")
    await asyncio.sleep(1)
    assert len(hooks.receiver.asked) == 1
    assert waiting["log"][0]["response_excerpt"] == "slowly"


async def test_a_paused_endpoint_keeps_its_backlog_and_goes_on_in_order(hooks: Hooks) -> None:
    made = await hooks.subscribe(ordering="entity")
    await hooks.client.patch(place(made), json={"status": "paused"})
    team = await hooks.team("一")
    for number in range(5):
        await hooks.rename(team, f"一 {number}")
    await asyncio.sleep(0.5)
    assert not hooks.receiver.asked
    paused = await hooks.get(place(made))
    assert (paused["status"], paused["status_reason"]) == ("paused", "asked")
    assert (await hooks.client.patch(place(made), json={"status": "active"})).status_code == 200
    taken = await hooks.arrived(6)
    assert [event["sequence"] for event in taken] == ["1", "2", "3", "4", "5", "6"]


async def test_a_test_event_tells_what_comes_of_it(hooks: Hooks) -> None:
    made = await hooks.subscribe(kinds=["deal.*"])
    sent = await hooks.post(f"{place(made)}/test", 202)
    [delivery] = await hooks.delivered(made, 1)
    assert delivery["id"] == sent["id"]
    [event] = hooks.events
    assert (event["type"], event["subject"]) == ("crm.gateway.webhook_endpoint.test.v1", made["id"])
    assert "secret" not in event["data"]["entity"]


async def test_several_go_together_where_that_is_wanted(hooks: Hooks) -> None:
    hooks.answer_by(lambda _: Reply(204, {}, b"", after=0.2))
    made = await hooks.subscribe(batch_size=50)
    for number in range(40):
        await hooks.team(f"队 {number}")
    await hooks.delivered(made, 40)
    events = [event for batch in hooks.events for event in batch]
    assert len({event["id"] for event in events}) == 40
    assert len(hooks.receiver.asked) < 40
    assert hooks.receiver.last.headers["content-type"].startswith("application/cloudevents-batch+json")


async def test_a_rate_is_kept_to(hooks: Hooks) -> None:
    made = await hooks.subscribe(rate_limit=5)
    for number in range(8):
        await hooks.team(f"队 {number}")
    began = time.monotonic()
    await hooks.delivered(made, 8)
    assert time.monotonic() - began > 0.5  # without the limit all of them come at once


async def test_a_redirect_is_not_followed(hooks: Hooks, door: Door) -> None:
    hooks.answer_by(lambda _: Reply(302, {"Location": f"{hooks.receiver.url}/elsewhere"}, b""))
    made = await hooks.subscribe()
    await hooks.team("一")
    [waiting] = await hooks.delivered(made, 1, "waiting")
    assert waiting["error"] == "status_302"
    assert {asked.target for asked in hooks.receiver.asked} == {"/hook"}


async def test_a_slow_or_large_answer_is_cut_off(hooks: Hooks) -> None:
    hooks.answer_by(lambda _: Reply(200, {}, b"x" * 3_000_000))
    made = await hooks.subscribe()
    await hooks.team("一")
    [delivery] = await hooks.delivered(made, 1)
    assert delivery["log"][0]["response_excerpt"] == "x" * 500


async def test_nothing_is_kept_of_a_tenant_without_endpoints(hooks: Hooks, tenant: Keyholder) -> None:
    await hooks.team("before")
    await asyncio.sleep(2)  # what is still on its way when somebody subscribes is told
    made = await hooks.subscribe(after="beginning")
    await hooks.team("behind")
    events = await hooks.arrived(1)
    await hooks.caught_up(made)
    assert [event["data"]["entity"]["name"] for event in events] == ["behind"]


async def test_an_endpoint_that_takes_nothing_for_days_is_paused_and_goes_on_where_it_was(
    hooks: Hooks, door: Door, tenant: Keyholder
) -> None:
    hooks.answer_by(lambda _: Reply(500, {}, b""))
    made = await hooks.subscribe(ordering="entity")
    watch = await hooks.subscribe(kinds=["webhook_endpoint.paused"], url=None, transport="pull")
    team = await hooks.team("0")
    await hooks.delivered(made, 1, "waiting")
    for number in range(1, 4):
        await hooks.rename(team, str(number))

    async def paused() -> bool:
        # The attempts of five days, one after the other.
        await let_pass_for_webhooks(door.service.runtime.settings.database_url, tenant.id, timedelta(hours=30))
        return bool((await hooks.get(place(made)))["status"] == "paused")

    await until(paused)
    assert (await hooks.get(place(made)))["status_reason"] == "failing"

    async def told() -> bool:
        return bool((await hooks.get(f"{place(watch)}/events"))["data"])

    await until(told)
    await hooks.rename(team, "4")
    tried = len(hooks.receiver.asked)
    await asyncio.sleep(0.5)
    assert len(hooks.receiver.asked) == tried
    hooks.answer_by(lambda _: TAKEN)
    assert (await hooks.client.patch(place(made), json={"status": "active"})).status_code == 200
    await hooks.delivered(made, 5)
    assert [event["sequence"] for event in hooks.events] == ["1", "2", "3", "4", "5"]


async def test_one_event_that_is_never_taken_is_given_up_and_told_once_more_when_asked(
    hooks: Hooks, door: Door, tenant: Keyholder
) -> None:
    hooks.answer_by(lambda asked: Reply(422, {}, b"no") if b"poison" in asked.body else TAKEN)
    made = await hooks.subscribe()
    poison = await hooks.team("poison")
    await hooks.delivered(made, 1, "waiting")
    number = 0

    async def given_up() -> bool:
        nonlocal number
        number += 1
        await hooks.team(f"good {number}")  # others arrive meanwhile
        await let_pass_for_webhooks(door.service.runtime.settings.database_url, tenant.id, timedelta(hours=30))
        return bool(await hooks.deliveries(made, status="failed"))

    await until(given_up, 60)
    [failed] = await hooks.deliveries(made, status="failed")
    assert (failed["subject"], failed["attempts"], failed["error"]) == (poison["id"], 10, "status_422")
    assert (await hooks.get(place(made)))["status"] == "active"
    hooks.answer_by(lambda _: TAKEN)
    await hooks.post(f"{place(made)}/replay", 202, {"delivery_ids": [failed["id"]]})

    async def taken() -> bool:
        return bool((await hooks.get(f"{place(made)}/deliveries/{failed['id']}"))["status"] == "delivered")

    await until(taken)
