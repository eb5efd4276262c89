"""The toy service with one consumer that refuses what it is told to refuse, and can be held up in its transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from crm_contracts.envelope import Event
from crm_contracts.ids import new_id
from crm_contracts.registry import Topic
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer
from crm_kit.inbox.applying import Order
from crm_kit.manifest import Feature
from crm_testkit.effects import Effects, count_events, effects
from crm_testkit.service import ServiceUnderTest, Tenant, running_service
from crm_testkit.toy_service import NOTE, toy_manifest
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.writers import until

__all__ = ["effects"]

LETTERS = "/internal/dead-letters"
Json = dict[str, Any]


class Lab:
    """`refused` are the events, by key and version, that its consumer fails on; at those in `gates` it waits."""

    def __init__(self, consumer: str, effects: Effects) -> None:
        self.consumer = consumer
        self.effects = effects
        self.refused: set[tuple[str, int]] = set()
        self.gates: dict[tuple[str, int], asyncio.Event] = {}
        self.at_gate = asyncio.Event()
        self.service: ServiceUnderTest
        self.tenant: Tenant

    async def handle(self, session: WriteSession, events: Sequence[Event]) -> None:
        for event in events:
            place = (event.subject, event.sequence)
            if place in self.refused:
                raise ValueError(f"cannot take {event.sequence}")
            await count_events(session, [event])
            if place in self.gates:
                self.at_gate.set()
                await self.gates[place].wait()

    async def publish(self, *events: Event) -> None:
        await self.service.publish(*((NOTE.name, event) for event in events))

    async def letters(self, **params: Any) -> list[Json]:
        """Newest first."""
        found: list[Json] = (await self.tenant.read(LETTERS, consumer=self.consumer, **params))["data"]
        return found

    async def wait_for_letters(self, number: int, **params: Any) -> list[Json]:
        async def there() -> bool:
            return len(await self.letters(**params)) == number

        await until(there)
        return await self.letters(**params)

    async def replay(self, letter: Json, **headers: str) -> Json:
        answer = await self.tenant.client.post(f"{LETTERS}/{letter['id']}/replay", headers=headers)
        assert answer.status_code == 200, answer.text
        result: Json = answer.json()
        return result

    async def discard(self, letter: Json) -> None:
        answer = await self.tenant.client.delete(f"{LETTERS}/{letter['id']}")
        assert answer.status_code == 204, answer.text


MakeLab = Callable[..., AbstractAsyncContextManager[Lab]]


@pytest.fixture
def lab(parts: Parts, effects: Effects, event_log_database: Callable[[], str], tmp_path: Path) -> MakeLab:
    """Opens a lab; `lab(order)`. `consumer` and `topic` may be given, to go on where another lab has ended."""

    @asynccontextmanager
    async def open_lab(order: Order = "wait", *, consumer: str = "", topic: Topic = NOTE) -> AsyncIterator[Lab]:
        made = Lab(consumer or new_id("consumer"), effects)
        follows = Consumer(name=made.consumer, topics=(topic,), handle=made.handle, order=order)
        manifest = toy_manifest(Feature(consumers=(follows,)))
        async with running_service(manifest, parts.urls, event_log_database(), tmp_path) as service:
            made.service = service
            made.tenant = service.tenant()
            yield made

    return open_lab
