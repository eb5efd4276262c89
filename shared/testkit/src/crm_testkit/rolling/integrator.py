"""A tenant whose contacts come by imports, and who is told of each change by webhooks."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from crm_contracts.envelope import Event

from crm_testkit.chaos.observed import SeenLog
from crm_testkit.chaos.stack import ChaosStack
from crm_testkit.rolling.visitors import Asked, client_of
from crm_testkit.stand_in import Reply, StandIn

_ROWS: Final = 60
_PAUSE_SECONDS: Final = 1.0
_BUSY: Final = frozenset({"pending", "running"})
_TAKEN: Final = Reply(204, {}, b"")


class Integrator:
    """`receiver` takes every webhook. `rows`: of imports that have succeeded."""

    def __init__(self, stack: ChaosStack, receiver: StandIn, asked: Asked) -> None:
        self._stack = stack
        self._receiver = receiver
        self._asked = asked
        self._tenant_id, self._key = "", ""
        self._addresses: list[str] = []
        receiver.reset(lambda _: _TAKEN)

    @property
    def rows(self) -> int:
        return len(self._addresses)

    @property
    def webhooks(self) -> int:
        return len(self._receiver.asked)

    async def open(self) -> None:
        """Its tenant and its endpoint."""
        self._tenant_id, self._key = await self._stack.new_tenant()
        async with client_of(self._stack.public_url, self._key) as client:
            body = {"url": f"{self._receiver.url}/hook", "kinds": ["contact.*"]}
            answer = await client.post("/v1/webhook-endpoints", json=body)
        assert answer.status_code == 201, answer.text

    @asynccontextmanager
    async def importing(self) -> AsyncIterator[None]:
        """One file after the other while the block lasts; the last one is waited for."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._import(stop))
            try:
                yield
            finally:
                stop.set()

    async def _import(self, stop: asyncio.Event) -> None:
        async with client_of(self._stack.public_url, self._key) as client:
            for number in itertools.count():
                if stop.is_set():
                    return
                addresses = [f"import{self.rows + row}@example.com" for row in range(_ROWS)]
                lines = ["name,email", *(f"{number} {address},{address}" for address in addresses)]
                files = {"file": ("people.csv", "\n".join(lines).encode())}
                taken = await self._asked.ask(client, "POST", "/v1/imports", files=files)
                if taken is not None and taken.is_success:
                    status = await self._ended(client, f"/v1/imports/{taken.json()['id']}")
                    if status != "succeeded":
                        self._asked.faults.append(f"import {taken.json()['id']} ended as {status}")
                    self._addresses += addresses
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _ended(self, client: Any, path: str) -> str:
        async with asyncio.timeout(180):
            while True:
                answer = await self._asked.ask(client, "GET", path)
                if answer is not None and answer.status_code == 200 and answer.json()["status"] not in _BUSY:
                    return str(answer.json()["status"])
                await asyncio.sleep(0.3)

    async def check(self, log: SeenLog, seconds: float) -> list[str]:
        """Rows that are missing or doubled, events that were not told, or not in their order, once all had time to arrive."""
        async with client_of(self._stack.public_url, self._key) as client:
            held = Counter([address async for address in _addresses(client)])
        found = [
            f"row {address} was taken in {held[address]} times" for address in self._addresses if held[address] != 1
        ]
        events = [event for event in await log.look() if event.tenant_id == self._tenant_id]
        for _ in range(round(seconds)):
            if not (missing := list(untold(events, self._arrived()))):
                break
            await asyncio.sleep(1)
        return found + missing

    def _arrived(self) -> list[dict[str, Any]]:
        return [orjson.loads(asked.body) for asked in self._receiver.asked]


async def _addresses(client: Any) -> AsyncIterator[str]:
    cursor: str | None = None
    while True:
        answer = await client.get("/v1/contacts", params={"limit": "200"} | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        for contact in answer.json()["data"]:
            for email in contact["emails"]:
                yield email["address"]
        if (cursor := answer.json()["next_cursor"]) is None:
            return


def untold(events: Iterable[Event], arrived: Iterable[dict[str, Any]]) -> Iterator[str]:
    """What of the log did not arrive, and whose first arrivals are not in order."""
    first: dict[str, list[int]] = defaultdict(list)
    for told in arrived:
        if (sequence := int(told["sequence"])) not in first[told["subject"]]:
            first[told["subject"]].append(sequence)
    for event in events:
        if event.entity_type == "contact" and event.sequence not in first[event.subject]:
            yield f"no webhook told of {event.subject} at {event.sequence}"
    for subject, sequences in first.items():
        if sequences != sorted(sequences):
            yield f"webhooks told of {subject} in the order {sequences}"
