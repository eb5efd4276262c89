"""One subscription, three transports: whoever changes from one to another misses nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
from crm_testkit.door import Door, Keyholder
from crm_testkit.stand_in import Asked, Reply
from crm_testkit.webhooks import Hooks, place


@asynccontextmanager
async def stream(client: httpx.AsyncClient, path: str, **headers: str) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """Messages as (id, event); a cursor that moves without an event has None."""
    async with client.stream("GET", path, headers={"Accept": "text/event-stream", **headers}, timeout=30) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")

        async def messages() -> AsyncIterator[tuple[str, Any]]:
            id_, data = "", None
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    id_ = value
                elif name == "data":
                    data = orjson.loads(value)
                elif not line and id_:
                    yield id_, data
                    id_, data = "", None

        yield messages()


async def test_events_are_fetched_by_a_cursor_page_by_page(hooks: Hooks) -> None:
    made = await hooks.subscribe(url=None, transport="pull")
    teams = [(await hooks.team(str(number)))["id"] for number in range(7)]
    await hooks.caught_up_on(made)
    subjects, cursor, pages = [], None, 0
    while True:
        params = {"limit": 3} | ({"after": cursor} if cursor else {})
        page = await hooks.get(f"{place(made)}/events", **params)
        subjects += [event["subject"] for event in page["data"] if event["subject"] not in hooks.marks]
        cursor, pages = page["next_cursor"], pages + 1
        if not page["has_more"]:
            break
    assert sorted(subjects) == sorted(teams)
    assert pages >= 3
    team = await hooks.team("later")
    await hooks.caught_up_on(made)
    page = await hooks.get(f"{place(made)}/events", after=cursor)
    assert [event["subject"] for event in page["data"] if event["subject"] not in hooks.marks] == [team["id"]]


async def test_a_stream_goes_on_where_it_was_cut_off(hooks: Hooks) -> None:
    made = await hooks.subscribe(url=None, transport="pull")
    first = await hooks.team("first")
    async with stream(hooks.client, f"{place(made)}/events") as messages:
        cursor, event = await anext(messages)
        assert event["subject"] == first["id"]
        second = await hooks.team("second")
        cursor, event = await anext(messages)
        assert event["subject"] == second["id"]
    third = await hooks.team("third")
    async with stream(hooks.client, f"{place(made)}/events", **{"Last-Event-ID": cursor}) as messages:
        _, event = await anext(messages)
        assert event["subject"] == third["id"]


async def test_from_push_to_fetching_and_back_nothing_is_lost_and_nothing_comes_twice(hooks: Hooks) -> None:
    made = await hooks.subscribe()
    pushed = [(await hooks.team(f"pushed {number}"))["id"] for number in range(3)]
    await hooks.delivered(made, 3)
    await hooks.client.patch(place(made), json={"transport": "pull"})
    fetched = [(await hooks.team(f"fetched {number}"))["id"] for number in range(3)]
    await asyncio.sleep(0.5)
    page = await hooks.get(f"{place(made)}/events")
    while len(page["data"]) < 3:
        page = await hooks.get(f"{place(made)}/events")
    assert {event["subject"] for event in page["data"]} == {*fetched}
    await hooks.post(f"{place(made)}/cursor", 200, {"after": page["next_cursor"]})
    await hooks.client.patch(place(made), json={"transport": "push"})
    again = await hooks.team("pushed again")
    await hooks.delivered(made, 4)
    assert {event["subject"] for event in hooks.events} == {*pushed, again["id"]}
    assert len(hooks.events) == 4


def page_of(contacts: list[dict[str, Any]], cursor: str | None) -> Reply:
    return Reply(200, {"content-type": "application/json"}, orjson.dumps({"data": contacts, "next_cursor": cursor}))


async def test_a_snapshot_tells_the_present_state_and_then_the_changes(hooks: Hooks, door: Door) -> None:
    contacts = [
        {"id": f"contact_01jd3zq8w9e2vbx7k5m4n6p8q{letter}", "version": 4, "full_name": letter} for letter in "abc"
    ]

    def answer(asked: Asked) -> Reply:
        assert asked.target.startswith("/v1/contacts?sort=id")
        assert "archived=include" in asked.target
        return page_of(contacts[2:], None) if "cursor=next" in asked.target else page_of(contacts[:2], "next")

    door.behind["contacts"].reset(answer)
    made = await hooks.subscribe(kinds=["contact.*", "team.*"], after="snapshot")
    team = await hooks.team("meanwhile")
    events = await hooks.arrived(4)
    assert [event["subject"] for event in events] == [*(contact["id"] for contact in contacts), team["id"]]
    assert {event["type"] for event in events[:3]} == {"crm.contacts.contact.restated.v1"}
    assert [event["sequence"] for event in events[:3]] == ["4", "4", "4"]
    page = await hooks.get(f"{place(made)}/events", after="snapshot")
    fetched, cursors = [], []
    while page["has_more"]:
        fetched += [event["subject"] for event in page["data"]]
        cursors.append(page["next_cursor"])
        page = await hooks.get(f"{place(made)}/events", after=page["next_cursor"])
    assert fetched == [contact["id"] for contact in contacts]


async def test_a_snapshot_waits_for_a_service_that_does_not_answer(hooks: Hooks, door: Door) -> None:
    replies = iter([Reply(503, {}, b""), page_of([], None)])
    door.behind["contacts"].reset(lambda _: next(replies))
    made = await hooks.subscribe(kinds=["contact.*", "team.*"], after="snapshot")
    team = await hooks.team("after all")
    events = await hooks.arrived(1)
    assert [event["subject"] for event in events] == [team["id"]]
    assert len(door.behind["contacts"].asked) == 2
    await hooks.caught_up(made)


async def test_a_cursor_that_is_none_is_refused(hooks: Hooks) -> None:
    made = await hooks.subscribe(url=None, transport="pull")
    for cursor in ("", "x", "-1", "99999999999", "snapshot.1", "1.5", "9" * 30, "snapshot.999999999.contacts."):
        answer = await hooks.client.get(f"{place(made)}/events", params={"after": cursor})
        assert answer.status_code in (400, 422), (cursor, answer.text)


async def test_what_was_told_is_told_once_more(hooks: Hooks, tenant: Keyholder) -> None:
    made = await hooks.subscribe()
    teams = [await hooks.team(str(number)) for number in range(3)]
    await hooks.rename(teams[0], "renamed")
    deliveries = await hooks.delivered(made, 4)
    hooks.receiver.asked.clear()
    again = await hooks.post(f"{place(made)}/replay", 202, {"delivery_ids": [deliveries[0]["id"]]})
    assert again["delivery_ids"] == [deliveries[0]["id"]]
    [event] = await hooks.arrived(1)
    assert event["id"] == deliveries[0]["event_id"]
    hooks.receiver.asked.clear()
    await hooks.post(f"{place(made)}/replay", 202, {"after": "beginning", "kinds": ["team.created"]})
    events = await hooks.arrived(3)
    assert {event["subject"] for event in events} == {team["id"] for team in teams}
    hooks.receiver.asked.clear()
    await hooks.post(
        f"{place(made)}/replay", 202, {"from_at": deliveries[0]["created_at"], "until_at": "2100-01-01T00:00:00Z"}
    )
    assert all(event["time"] >= deliveries[0]["created_at"] for event in hooks.events)
    nobody = await hooks.client.post(
        f"{place(made)}/replay", json={"delivery_ids": ["webhook_delivery_01jd3zq8w9e2vbx7k5m4n6p8qr"]}
    )
    assert nobody.status_code == 404
    assert (await hooks.client.post(f"{place(made)}/replay", json={})).status_code == 422
