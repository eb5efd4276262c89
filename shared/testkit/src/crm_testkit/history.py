"""Clients that write and remember what they were told, and the checker of what came of it: nothing lost, nothing twice.

Each thing made carries a marker of its own, so a write that took effect twice shows without asking who did it.
"""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from crm_testkit.whole_stack import differences

# Where the marker stands in what each list answers.
_MARKED_BY = {"contacts": "full_name", "deals": "name", "orders": "number", "tickets": "subject"}
_PAUSE_SECONDS = 0.05
_PATIENCE_SECONDS = 60
_REST_SECONDS = 0.4
"""After each contact: the machine also runs the stack, and all that was written is read again at the end."""


@dataclass
class Write:
    """One POST: `entity_id` is what its acknowledgement named, None as long as there is none."""

    resource: str
    body: dict[str, Any]
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    entity_id: str | None = None

    @property
    def marker(self) -> str:
        return str(self.body[_MARKED_BY[self.resource]])


@dataclass
class History:
    """What the clients of one tenant did. `refusals` are the answers that were no acknowledgement."""

    client: httpx.AsyncClient
    writes: list[Write] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    refusals: list[httpx.Response] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def write_on(self, seed: int) -> None:
        """Writes until `stop`, one after the other, repeating each until it is acknowledged."""
        drawn = random.Random(seed)
        while not self.stop.is_set():
            contact_id = await self.post("contacts", full_name=uuid.uuid4().hex)
            for _ in range(3):
                marker, about = uuid.uuid4().hex, {"contact_id": contact_id}
                match drawn.choice(("deals", "orders", "tickets")):
                    case "deals":
                        await self.post("deals", name=marker, amount={"amount": "1.00", "currency": "CNY"}, **about)
                    case "orders":
                        await self.post("orders", number=marker, total={"amount": "2.00", "currency": "CNY"}, **about)
                    case _:
                        await self.post("tickets", subject=marker, channel="email", **about)
            await asyncio.sleep(_REST_SECONDS)
            title = uuid.uuid4().hex
            await self._insist("PATCH", f"/v1/contacts/{contact_id}", {"title": title}, {})
            self.titles[contact_id] = title

    async def post(self, resource: str, **body: Any) -> str:
        """The acknowledged entity's id."""
        write = Write(resource, body)
        self.writes.append(write)
        return await self.repeat(write, self.client)

    async def repeat(self, write: Write, client: httpx.AsyncClient) -> str:
        """Sends it, perhaps again, under the key that it always had."""
        self.client = client
        answer = await self._insist("POST", f"/v1/{write.resource}", write.body, {"Idempotency-Key": write.key})
        write.entity_id = str(answer["id"])
        return write.entity_id

    def acknowledged(self) -> list[Write]:
        return [write for write in self.writes if write.entity_id is not None]

    async def _insist(self, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                try:
                    response = await self.client.request(method, path, json=body, headers=headers)
                except httpx.TransportError:
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                if response.status_code in (200, 201):
                    found: dict[str, Any] = response.json()
                    return found
                self.refusals.append(response)
                assert response.status_code in (409, 429) or response.status_code >= 500, response.text
                await asyncio.sleep(_PAUSE_SECONDS)


async def check_once(client: httpx.AsyncClient, acknowledged: Iterable[Write]) -> None:
    """Fails for what is missing, and for a marker that is there twice."""
    by_resource: dict[str, list[Write]] = {name: [] for name in _MARKED_BY}
    for write in acknowledged:
        by_resource[write.resource].append(write)
    for resource, writes in by_resource.items():
        found = await everything(client, resource)
        ids = {entity["id"] for entity in found}
        lost = [write.entity_id for write in writes if write.entity_id not in ids]
        assert not lost, f"acknowledged and lost: {lost}"
        counts = Counter(entity[_MARKED_BY[resource]] for entity in found)
        twice = [marker for marker, count in counts.items() if count > 1]
        assert not twice, f"took effect twice in {resource}: {twice}"


async def check_views(client: httpx.AsyncClient, seconds: float = 30) -> int:
    """Waits until each customer's view equals the one composed from the services; returns how many there are."""
    contacts = await everything(client, "contacts")
    for contact in contacts:
        path, differing = f"/v1/customers/{contact['id']}", ["not read yet"]
        for _ in range(round(seconds / _PAUSE_SECONDS)):
            view, live = await client.get(path), await client.get(path, params={"consistency": "live"})
            if view.status_code == live.status_code == 200 and not live.json().get("degraded"):
                differing = differences(view.json(), live.json())
            if not differing:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        assert not differing, f"{path}: view and services differ in {differing}"
    return len(contacts)


async def everything(client: httpx.AsyncClient, resource: str) -> list[dict[str, Any]]:
    """All pages of a list."""
    found: list[dict[str, Any]] = []
    parameters = {"limit": "100"}
    while True:
        response = await client.get(f"/v1/{resource}", params=parameters)
        assert response.status_code == 200, response.text
        page = response.json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        parameters["cursor"] = page["next_cursor"]
