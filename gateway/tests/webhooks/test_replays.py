"""How far a replay has come, which there are, and that no more of one is told."""

from datetime import timedelta
from typing import Any

from crm_testkit.door import Door, Keyholder
from crm_testkit.passing_time import let_pass_for_webhooks
from crm_testkit.stand_in import Asked, Reply
from crm_testkit.webhooks import TAKEN, Hooks, place, until

REFUSED = Reply(500, {}, b"")


async def replayed(hooks: Hooks, made: dict[str, Any], **which: Any) -> str:
    """Where the replay is."""
    answer = await hooks.client.post(f"{place(made)}/replay", json={"after": "beginning", **which})
    assert answer.status_code == 202, answer.text
    location = answer.headers["Location"]
    assert location == f"{place(made)}/replays/{answer.json()['replay_id']}"
    return str(location)


async def shown(hooks: Hooks, location: str, **members: Any) -> dict[str, Any]:
    """The replay, once it has these members."""
    found: dict[str, Any] = {}

    async def as_wanted() -> bool:
        found.update(await hooks.get(location))
        return {name: found[name] for name in members} == members

    await until(as_wanted)
    return found


async def test_a_replay_tells_how_far_it_has_come(hooks: Hooks) -> None:
    made = await hooks.subscribe()
    team = await hooks.team("一")
    for name in ("二", "三"):
        await hooks.rename(team, name)
    await hooks.delivered(made, 3)
    location = await replayed(hooks, made, kinds=["team.updated"])
    replay = await shown(hooks, location, status="succeeded", delivered=2)
    assert (replay["found"], replay["failed"], replay["endpoint_id"]) == (2, 0, made["id"])
    assert replay["looked_at"] == replay["to_look_at"] >= 3
    assert replay["kinds"] == ["team.updated"]
    [listed] = (await hooks.get(f"{place(made)}/replays", status="succeeded"))["data"]
    assert listed == replay
    assert (await hooks.get(f"{place(made)}/replays", status="running"))["data"] == []
    told = await hooks.deliveries(made, replay_id=replay["id"])
    assert {one["status"] for one in told} == {"delivered"}
    assert len(told) == 2


async def test_what_is_given_up_has_failed_until_it_is_told_after_all(
    hooks: Hooks, door: Door, tenant: Keyholder
) -> None:
    made = await hooks.subscribe()
    await hooks.team("poison")
    await hooks.delivered(made, 1)
    hooks.answer_by(lambda asked: Reply(422, {}, b"no") if b"poison" in asked.body else TAKEN)
    location = await replayed(hooks, made)
    number = 0

    async def given_up() -> bool:
        nonlocal number
        number += 1
        await hooks.team(f"good {number}")  # others arrive meanwhile
        await let_pass_for_webhooks(door.service.runtime.settings.database_url, tenant.id, timedelta(hours=30))
        return bool((await hooks.get(location))["failed"])

    await until(given_up, 60)
    replay = await hooks.get(location)
    assert (replay["status"], replay["found"], replay["delivered"], replay["failed"]) == ("succeeded", 1, 0, 1)
    hooks.answer_by(lambda _: TAKEN)
    [failed] = await hooks.deliveries(made, replay_id=replay["id"])
    await hooks.post(f"{place(made)}/replay", 202, {"delivery_ids": [failed["id"]]})
    await shown(hooks, location, found=1, delivered=1, failed=0)


async def test_of_a_cancelled_replay_no_more_is_told_and_what_waited_behind_it_goes_on(hooks: Hooks) -> None:
    made = await hooks.subscribe(ordering="entity")
    team = await hooks.team("old")
    await hooks.delivered(made, 1)
    failing = True

    def answer(asked: Asked) -> Reply:
        return REFUSED if failing and b'"old"' in asked.body else TAKEN

    hooks.answer_by(answer)
    location = await replayed(hooks, made)
    await hooks.delivered(made, 1, "waiting")
    await hooks.rename(team, "new")
    await hooks.delivered(made, 2, "waiting")  # the change waits behind what is told once more
    cancelled = await hooks.post(f"{location}/cancel", 200)
    assert (cancelled["status"], cancelled["found"], cancelled["failed"]) == ("cancelled", 1, 1)
    failing = False
    await hooks.delivered(made, 2)
    [dropped] = await hooks.deliveries(made, replay_id=cancelled["id"])
    assert (dropped["status"], dropped["error"]) == ("failed", "cancelled")
    arrived = [event["data"]["entity"]["name"] for event in hooks.events]
    assert arrived.count("new") == 1
    assert arrived[-1] == "new"
    again = await hooks.client.post(f"{location}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "webhook_replay_over")


async def test_a_replay_is_cancelled_before_its_endpoint_is_asked_anything(hooks: Hooks) -> None:
    made = await hooks.subscribe()
    await hooks.team("一")
    await hooks.delivered(made, 1)
    await hooks.client.patch(place(made), json={"status": "paused"})
    location = await replayed(hooks, made)
    running = await hooks.get(location)
    assert (running["status"], running["looked_at"], running["found"]) == ("running", 0, 0)
    stale = await hooks.client.post(f"{location}/cancel", headers={"If-Match": f'"{running["version"] + 1}"'})
    assert stale.status_code == 412
    assert (await hooks.post(f"{location}/cancel", 200))["status"] == "cancelled"
    await hooks.client.patch(place(made), json={"status": "active"})
    await hooks.team("二")
    await hooks.delivered(made, 2)
    assert len(hooks.receiver.asked) == 2


async def test_a_replay_is_its_own_endpoint_s(hooks: Hooks) -> None:
    made, other = await hooks.subscribe(), await hooks.subscribe()
    location = await replayed(hooks, made)
    elsewhere = location.replace(made["id"], other["id"])
    assert (await hooks.client.get(elsewhere)).status_code == 404
    assert (await hooks.client.post(f"{elsewhere}/cancel")).status_code == 404
    assert (await hooks.get(f"{place(other)}/replays"))["data"] == []
