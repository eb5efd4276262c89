"""Webhooks of a whole stack to receivers that fail in every way, while the gateway is killed."""

import asyncio
import random
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from crm_testkit.stand_in import Asked, Reply, running_stand_in
from crm_testkit.webhooks import TAKEN, Hooks, place, until
from crm_testkit.whole_stack import Relata

_KILLS = 2


@asynccontextmanager
async def hooks_of(relata: Relata) -> AsyncIterator[Hooks]:
    async with running_stand_in() as receiver:
        yield Hooks(relata.client, receiver)


@dataclass
class Seen:
    """Which versions of each subject a receiver has taken, in the order in which it did."""

    versions: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def note(self, asked: Asked) -> None:
        event = orjson.loads(asked.body)
        self.versions[event["subject"]].append(int(event["sequence"]))

    def first_times(self, subject: str) -> list[int]:
        return list(dict.fromkeys(self.versions[subject]))


def failing_sometimes(seen: Seen, drawn: random.Random) -> Callable[[Asked], Reply]:
    """One event of four fails at first: by its status, by a redirection inside, by a connection that breaks off."""
    tried: set[str] = set()

    def answer(asked: Asked) -> Reply:
        id_ = asked.headers["webhook-id"]
        fault = drawn.randrange(16) if id_ not in tried else -1
        tried.add(id_)
        match fault:
            case 0:
                return Reply(500, {}, b"")
            case 1:
                return Reply(503, {"Retry-After": "1"}, b"")
            case 2:
                return Reply(200, {}, b"x" * 1000, cut_at=10)
            case 3:
                return Reply(302, {"Location": "http://169.254.169.254/"}, b"")
        seen.note(asked)
        return TAKEN

    return answer


async def written(client: httpx.AsyncClient, contacts: int, changes: int) -> list[str]:
    """Ids of contacts each of which has been changed so often."""

    async def insist(method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
        while True:
            try:
                answer = await client.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            await asyncio.sleep(0.1)

    async def one(number: int) -> str:
        contact = await insist("POST", "/v1/contacts", {"full_name": f"客户 {number}"})
        for change in range(changes):
            await insist("PATCH", f"/v1/contacts/{contact['id']}", {"title": f"{uuid.uuid4().hex} {change}"})
        return str(contact["id"])

    return await asyncio.gather(*(one(number) for number in range(contacts)))


@pytest.mark.parametrize("ordering", ["entity", "none"])
async def test_every_event_arrives_whatever_fails_and_whoever_is_killed(on_embedded: Relata, ordering: str) -> None:
    seen, healthy = Seen(), Seen()
    async with hooks_of(on_embedded) as hooks, running_stand_in() as other:
        hooks.answer_by(failing_sometimes(seen, random.Random(7)))
        other.reset(lambda asked: healthy.note(asked) or TAKEN)
        made = await hooks.subscribe(kinds=["contact.*"], ordering=ordering)
        beside = await hooks.subscribe(kinds=["contact.*"], ordering=ordering, url=f"{other.url}/hook")
        writing = asyncio.create_task(written(on_embedded.client, 10, 5))
        for _ in range(_KILLS):
            await asyncio.sleep(1.0)
            await on_embedded.stack.restart("gateway")
        contacts = await writing
        expected = {contact: set(range(1, 7)) for contact in contacts}

        async def all_of(of: Seen) -> bool:
            return all(set(of.versions[contact]) == versions for contact, versions in expected.items())

        await until(lambda: all_of(healthy), 60)
        await until(lambda: all_of(seen), 150)
        if ordering == "entity":
            for contact in contacts:
                assert seen.first_times(contact) == sorted(seen.first_times(contact))
                assert healthy.first_times(contact) == sorted(healthy.first_times(contact))
        for endpoint in (made, beside):
            await on_embedded.client.delete(place(endpoint))


async def test_a_dead_endpoint_delays_no_other(on_embedded: Relata) -> None:
    """Twenty that never answer, one that does."""

    async def silent(_: Asked) -> Reply:
        await asyncio.sleep(60)
        return TAKEN

    async with hooks_of(on_embedded) as hooks, running_stand_in() as silence:
        silence.reset(silent)
        dead = [await hooks.subscribe(kinds=["contact.*"], url=f"{silence.url}/{number}") for number in range(20)]
        made = await hooks.subscribe(kinds=["contact.*"])
        contacts = await written(on_embedded.client, 5, 2)

        async def all_there() -> bool:
            return len(await hooks.deliveries(made, status="delivered", limit=200)) >= 15

        await until(all_there, 20)
        assert {event["subject"] for event in hooks.events} >= set(contacts)
        for endpoint in (*dead, made):
            await on_embedded.client.delete(place(endpoint))


async def test_a_person_who_is_erased_is_told_and_forgotten(on_embedded: Relata) -> None:
    client = on_embedded.client
    async with hooks_of(on_embedded) as hooks:
        made = await hooks.subscribe(kinds=["contact.*"])
        contact = (await client.post("/v1/contacts", json={"full_name": "将被删除的人"})).json()
        await hooks.arrived(1)
        request = await client.post("/v1/privacy-requests", json={"kind": "erasure", "contact_id": contact["id"]})
        assert request.status_code in (201, 202), request.text

        async def told() -> bool:
            return any(event["data"].get("erased") for event in hooks.events if event["subject"] == contact["id"])

        await until(told, 60)
        page = await hooks.get(f"{place(made)}/events", after="beginning", limit=500)
        assert "将被删除的人" not in str(page)
        assert [event["data"] for event in page["data"] if event["subject"] == contact["id"]] == [
            {"entity": None, "changed": [], "erased": True}
        ]
        await client.delete(place(made))
