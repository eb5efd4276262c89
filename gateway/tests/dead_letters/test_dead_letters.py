"""The letters of all services and of the gateway's own view in one place."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from crm_contracts.ids import DeadLetterId, new_id
from crm_testkit.customer_world import World
from crm_testkit.door import Door, Keyholder
from crm_testkit.stand_in import Asked, Reply, StandIn

LETTERS = "/v1/dead-letters"
Json = dict[str, Any]
_PROBLEM = {"content-type": "application/problem+json"}


def _letter(service: str, **members: Any) -> Json:
    return {
        "id": DeadLetterId.new(),
        "version": 1,
        "created_at": "2026-10-01T08:00:00Z",
        "updated_at": "2026-10-01T08:00:00Z",
        "service": service,
        "stage": "consumer",
        "kind": "failed",
        "consumer": f"{service}.copies",
        "topic": "crm.toy.note",
        "key": "note_1",
        "event_id": None,
        "event_type": None,
        "subject": None,
        "traceparent": None,
        "error": "ValueError: no",
        "attempts": 3,
        "tried_at": None,
        **members,
    }


_PATH = "/internal/dead-letters"


class Service:
    """A stand-in that has letters."""

    def __init__(self, stand_in: StandIn, *letters: Json) -> None:
        self.letters = {letter["id"]: letter for letter in letters}
        self.requests: list[Asked] = []
        stand_in.reset(self.answer)

    def answer(self, asked: Asked) -> Reply:
        url = urlsplit(asked.target)
        if not url.path.startswith(_PATH):
            return Reply()  # the gateway asks for other things of its own accord
        self.requests.append(asked)
        rest = url.path.removeprefix(_PATH)
        if not rest:
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            found = sorted(self.letters.values(), key=lambda letter: letter["id"], reverse=True)
            page = [one for one in found if one["id"] < query.get("before", "z")][: int(query["limit"])]
            return Reply(body=orjson.dumps({"data": page}))
        letter = self.letters.get(rest.split("/")[1])
        if letter is None:
            return Reply(404, _PROBLEM, b'{"code": "not_found", "status": 404, "title": "No"}')
        if asked.headers.get("if-match", '"1"') != '"1"':
            body = {"code": "precondition_failed", "status": 412, "title": "t", "detail": "d", "current_version": 1}
            return Reply(412, {**_PROBLEM, "etag": '"1"'}, orjson.dumps(body))
        if asked.method == "DELETE":
            return Reply(204, {"consistency-token": f"{letter['id']}@2"}, b"")
        if rest.endswith("/replay"):
            return Reply(body=b'{"outcome": "applied", "applied": 1, "remaining": 0, "error": null}')
        content = {"headers": {}, "payload": "{}", "payload_encoding": "utf-8"}
        return Reply(body=orjson.dumps(letter | content))


async def _own_letters(door: Door, tenant: Keyholder, number: int) -> list[Json]:
    """Makes letters of the gateway's own view: events of a major version that it does not know."""
    world = World(tenant.id)
    for _ in range(number):
        world.create("deal")
    newer = [(topic, replace(event, type=event.type.replace(".v1", ".v2"))) for topic, event in world.events]
    await door.service.publish(*newer)
    async with asyncio.timeout(20):
        while len(found := await _all(tenant, service="gateway")) < number:
            await asyncio.sleep(0.05)
    return found


async def _all(tenant: Keyholder, **params: Any) -> list[Json]:
    answer = await tenant.client.get(LETTERS, params=params)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["data"]
    return found


async def test_letters_of_all_services_are_one_list_newest_first(door: Door, tenant: Keyholder) -> None:
    for stand_in in door.behind.values():
        Service(stand_in)
    first = await _own_letters(door, tenant, 2)
    theirs = [_letter("contacts"), _letter("campaigns"), _letter("contacts")]
    Service(door.behind["contacts"], theirs[0], theirs[2])
    Service(door.behind["campaigns"], theirs[1])
    expected = [*reversed(theirs), *first]
    assert await _all(tenant) == expected

    walked, cursor = [], None
    while True:
        answer = await tenant.client.get(LETTERS, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        page = answer.json()
        assert page.keys() == {"data", "next_cursor"}
        assert ("link" in answer.headers) == (page["next_cursor"] is not None)
        walked += page["data"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert walked == expected
    assert await _all(tenant, service="contacts") == [theirs[2], theirs[0]]


async def test_filters_are_passed_on_and_unknown_ones_refused(door: Door, tenant: Keyholder) -> None:
    services = {name: Service(stand_in) for name, stand_in in door.behind.items()}
    wanted = {"stage": "consumer", "consumer": "a.b", "topic": "t", "kind": "failed", "key": "欧阳"}
    await _all(tenant, **wanted)
    for service in services.values():
        [asked] = service.requests
        query = {name: values[0] for name, values in parse_qs(urlsplit(asked.target).query).items()}
        assert query == wanted | {"limit": "51"}
    cursor = (await tenant.client.get(LETTERS, params={"cursor": "AAAA"})).json()
    assert cursor["code"] == "invalid_cursor"
    for params in ({"state": "x"}, {"kind": "x"}, {"service": "x"}, {"limit": "201"}, {"key": ""}):
        answer = await tenant.client.get(LETTERS, params=params)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == f"?{next(iter(params))}"


async def test_who_does_not_answer_is_named(door: Door, tenant: Keyholder) -> None:
    theirs = _letter("contacts")
    Service(door.behind["contacts"], theirs)
    Service(door.behind["pipeline"])
    door.behind["tickets"].reset(lambda _: Reply(cut_at=0))
    door.behind["campaigns"].reset(lambda _: Reply(body=b'{"nonsense": 1}'))
    answer = await tenant.client.get(LETTERS)
    assert answer.json() == {"data": [theirs], "next_cursor": None, "degraded": ["tickets", "campaigns"]}
    assert (await tenant.client.get(f"{LETTERS}/{theirs['id']}")).status_code == 200, "somebody has it"
    answer = await tenant.client.get(f"{LETTERS}/{new_id('dead_letter')}")
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream_failed"), "campaigns may have it"
    Service(door.behind["campaigns"])
    answer = await tenant.client.get(f"{LETTERS}/{new_id('dead_letter')}")
    assert (answer.status_code, answer.json()["service"]) == (503, "tickets"), "tickets may have it"


async def test_a_letter_is_read_replayed_and_discarded_where_it_lies(door: Door, tenant: Keyholder) -> None:
    services = {name: Service(stand_in) for name, stand_in in door.behind.items()}
    theirs = _letter("tickets")
    services["tickets"].letters[theirs["id"]] = theirs
    path = f"{LETTERS}/{theirs['id']}"
    answer = await tenant.client.get(path)
    assert (answer.headers["etag"], answer.json()["payload"]) == ('"1"', "{}")
    assert (await tenant.client.get(path, headers={"If-None-Match": '"1"'})).status_code == 304

    stale = await tenant.client.post(f"{path}/replay", headers={"If-Match": '"7"', "Accept-Language": "zh"})
    assert (stale.status_code, stale.headers["etag"], stale.json()["current_version"]) == (412, '"1"', 1)
    assert services["tickets"].requests[-1].headers["accept-language"] == "zh"
    headers = {"Idempotency-Key": "once"}
    first = await tenant.client.post(f"{path}/replay", headers=headers)
    assert first.json() == {"outcome": "applied", "applied": 1, "remaining": 0, "error": None}
    assert services["tickets"].requests[-1].headers["idempotency-key"] == "once"
    again = await tenant.client.post(f"{path}/replay", headers=headers)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    discarded = await tenant.client.delete(path)
    assert (discarded.status_code, discarded.headers["consistency-token"]) == (204, f"{theirs['id']}@2")


async def test_the_views_own_letters_are_replayed_and_discarded_too(door: Door, tenant: Keyholder) -> None:
    for stand_in in door.behind.values():
        Service(stand_in)
    [letter] = await _own_letters(door, tenant, 1)
    assert (letter["consumer"], letter["kind"]) == ("gateway.view", "unsupported")
    path = f"{LETTERS}/{letter['id']}"
    assert (await tenant.client.get(path)).json()["headers"]["ce_subject"] == letter["key"]
    assert (await tenant.client.post(f"{path}/replay")).json()["outcome"] == "failed"
    reader = await door.key(tenant, "read")
    assert (await reader.post(f"{path}/replay")).json()["missing_permission"] == "dead-letters:update"
    stranger = await door.tenant()
    answers = [
        await stranger.client.get(path),
        await stranger.client.post(f"{path}/replay"),
        await stranger.client.delete(path),
        await tenant.client.get(f"{LETTERS}/contact_01jd3zq8w9e2vbx7k5m4n6p8qr"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert await _all(stranger) == []
    assert (await tenant.client.delete(path)).status_code == 204
    assert await _all(tenant) == []


async def test_the_services_routes_are_none_of_the_gateways(door: Door, tenant: Keyholder) -> None:
    for method in ("get", "post", "delete"):
        call: Callable[[str], Awaitable[Any]] = getattr(tenant.client, method)
        assert (await call("/internal/dead-letters")).status_code == 404
        assert (await call(f"/internal/dead-letters/{new_id('dead_letter')}")).status_code == 404


async def test_a_view_goes_on_past_an_event_that_it_cannot_apply(door: Door, tenant: Keyholder) -> None:
    """What the projection keeps is an entity's newest state: the broken one, replayed later, changes nothing."""
    for stand_in in door.behind.values():
        Service(stand_in)
    world = World(tenant.id)
    contact = world.create("contact", full_name="王伟")
    topic, event = world.events.pop()
    broken = replace(event, entity={**(event.entity or {}), "created_at": "yesterday"})
    world.update(contact["id"], full_name="王小伟")
    await door.service.publish((topic, broken))
    async with asyncio.timeout(20):
        while not await _all(tenant):
            await asyncio.sleep(0.05)
    await door.service.publish(*world.events)
    token = {"Consistency-Token": f"{contact['id']}@2"}
    view = await tenant.client.get(f"/v1/customers/{contact['id']}", headers=token)
    assert (view.status_code, view.json()["profile"]["full_name"]) == (200, "王小伟")
    [letter] = await _all(tenant)
    assert (letter["kind"], letter["key"]) == ("failed", contact["id"])
    assert (await tenant.client.post(f"{LETTERS}/{letter['id']}/replay")).json()["outcome"] == "failed"
    assert (await tenant.client.delete(f"{LETTERS}/{letter['id']}")).status_code == 204
