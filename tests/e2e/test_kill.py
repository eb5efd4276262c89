"""`kill -9` of any process while clients write: every acknowledged write is in the view, once."""

import asyncio
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from crm_testkit.whole_stack import Relata, differences

_WRITERS = 4
_KILLS_EACH = 1


@dataclass
class Writer:
    """Writes with idempotency keys and repeats until acknowledged, as a careful client does."""

    client: httpx.AsyncClient
    stop: asyncio.Event
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    patched: dict[str, str] = field(default_factory=dict)

    async def run(self, number: int) -> None:
        drawn = random.Random(number)
        while not self.stop.is_set():
            contact = await self._insist("POST", "/v1/contacts", {"full_name": f"写者 {number}"})
            made = self.acknowledged.setdefault(contact["id"], [])
            for _ in range(3):
                resource, body = drawn.choice(
                    [
                        ("deals", {"name": "框架", "amount": {"amount": "1.00", "currency": "CNY"}}),
                        ("orders", {"number": uuid.uuid4().hex, "total": {"amount": "2.00", "currency": "CNY"}}),
                        ("tickets", {"subject": "无法登录", "channel": "email"}),
                    ]
                )
                entity = await self._insist("POST", f"/v1/{resource}", {**body, "contact_id": contact["id"]})
                made.append(entity["id"])
            title = uuid.uuid4().hex
            await self._insist("PATCH", f"/v1/contacts/{contact['id']}", {"title": title})
            self.patched[contact["id"]] = title

    async def _insist(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        async with asyncio.timeout(60):
            while True:
                try:
                    response = await self.client.request(method, path, json=body, headers=headers)
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
                    continue
                if response.status_code in (200, 201):
                    found: dict[str, Any] = response.json()
                    return found
                assert response.status_code in (409, 429, 500, 502, 503), (
                    f"{path}: {response.status_code} {response.text}"
                )
                await asyncio.sleep(0.1)


async def test_a_killed_process_loses_and_doubles_nothing(relata: Relata) -> None:
    key = await relata.new_tenant_key()
    stop = asyncio.Event()
    async with relata.client_of(key) as client:
        writers = [Writer(client, stop) for _ in range(_WRITERS)]
        async with asyncio.TaskGroup() as group:
            for number, writer in enumerate(writers):
                group.create_task(writer.run(number))
            for name in ["gateway", "contacts", "pipeline", "tickets", "campaigns"] * _KILLS_EACH:
                await asyncio.sleep(0.7)
                await relata.stack.restart(name)
            await asyncio.sleep(0.5)
            stop.set()
        expected = {cid: made for writer in writers for cid, made in writer.acknowledged.items()}
        titles = {cid: title for writer in writers for cid, title in writer.patched.items()}
        assert len(expected) >= _WRITERS
        for contact_id, made in expected.items():
            await _holds_each_once(client, contact_id, made, titles.get(contact_id))


async def _holds_each_once(client: httpx.AsyncClient, contact_id: str, made: list[str], title: str | None) -> None:
    view: dict[str, Any] = {}
    for _ in range(400):
        answer = await client.get(f"/v1/customers/{contact_id}")
        live = await client.get(f"/v1/customers/{contact_id}", params={"consistency": "live"})
        if answer.status_code == live.status_code == 200:
            view = answer.json()
            if not differences(view, live.json()) and set(made) <= set(_ids(view)):
                break
        await asyncio.sleep(0.05)
    counts = Counter(_ids(view)) if view else Counter()
    missing = [entity_id for entity_id in made if counts[entity_id] != 1]
    assert not missing, f"{contact_id}: not once in the view: {missing}"
    assert set(counts) == set(made), f"{contact_id}: the view holds what nobody was told of: {set(counts) - set(made)}"
    if title is not None:
        assert view["profile"]["title"] == title


def _ids(view: dict[str, Any]) -> list[str]:
    sections = view["sales"]["open_deals"], view["sales"]["orders"]["recent"], view["support"]["open_tickets"]
    return [entity["id"] for section in sections for entity in section]


@pytest.mark.parametrize("name", ["contacts", "pipeline", "tickets", "campaigns"])
async def test_a_service_that_is_down_leaves_its_section_at_its_last_state(on_embedded: Relata, name: str) -> None:
    client = on_embedded.client
    contact = (await client.post("/v1/contacts", json={"full_name": "李娜"})).json()
    deal = (await client.post("/v1/deals", json={"name": "框架", "contact_id": contact["id"]})).json()
    await _holds_each_once(client, contact["id"], [deal["id"]], None)
    await on_embedded.stack.take_down(name)
    try:
        answer = await client.get(f"/v1/customers/{contact['id']}", params={"consistency": "live"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["degraded"] == [name]
        assert [found["id"] for found in answer.json()["sales"]["open_deals"]] == [deal["id"]]
        assert (await client.get(f"/v1/customers/{contact['id']}")).status_code == 200
    finally:
        await on_embedded.stack.bring_back(name)
