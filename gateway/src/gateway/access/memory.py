"""A bounded memory of what was looked up, and of what was not found. Entries live for seconds.

What one process looks up, all that answer at its port know: what a client was once shown by one, another does not unsay.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from crm_kit.siblings import Siblings

TTL_SECONDS: Final = 5.0
"""How long what was changed by another process may still count here."""

_SIZE: Final = 10_000

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Held = TypeVar("Held")

Clock = Callable[[], float]


class Memory(Generic[Key, Value]):
    """What is not found has a memory of its own, so that a flood of it displaces nothing that is there.

    With `siblings` what is told is known by `name`; keys and values must be what pickle can hold.
    """

    def __init__(self, clock: Clock, siblings: Siblings | None = None, name: str = "") -> None:
        self._clock = clock
        self._known: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._unknown: OrderedDict[Key, tuple[float, None]] = OrderedDict()
        self._lookups: dict[Key, asyncio.Task[Value | None]] = {}
        self._tell = (siblings or Siblings()).channel(f"memory: {name}", self._hear, self._forget)

    def peek(self, key: Key) -> Value | None:
        """What is remembered of it, without looking it up."""
        known = self._known.get(key)
        return known[1] if known and known[0] > self._clock() else None

    async def get(self, key: Key, find: Callable[[], Awaitable[Value | None]]) -> Value | None:
        """None for what `find` does not find. What it raises is not remembered."""
        now = self._clock()
        if (known := self._known.get(key)) and known[0] > now:
            return known[1]
        if (unknown := self._unknown.get(key)) and unknown[0] > now:
            return None
        return await self._look_up(key, find)

    @property
    def remembered(self) -> int:
        """Entries, of what is there and of what is not."""
        return len(self._known) + len(self._unknown)

    async def _look_up(self, key: Key, find: Callable[[], Awaitable[Value | None]]) -> Value | None:
        """One look-up at a time for each key, however many requests wait for it."""
        task = self._lookups.get(key)
        if task is None:
            task = self._lookups[key] = asyncio.ensure_future(self._found(key, find))
            task.add_done_callback(lambda _: self._lookups.pop(key, None))
        return await asyncio.shield(task)

    async def _found(self, key: Key, find: Callable[[], Awaitable[Value | None]]) -> Value | None:
        """It is as old as its look-up: what changes meanwhile may be missing from it."""
        until = self._clock() + TTL_SECONDS
        found = await find()
        self._keep(key, found, until)
        self._tell((key, found, until))
        return found

    def _hear(self, told: tuple[Key, Value | None, float]) -> None:
        self._keep(*told)

    def _keep(self, key: Key, found: Value | None, until: float) -> None:
        """The newest counts, whoever looked it up."""
        if any(memory.get(key, (0.0, None))[0] > until for memory in (self._known, self._unknown)):
            return
        now = self._clock()
        if found is None:
            self._known.pop(key, None)
            _remember(self._unknown, key, None, until, now)
        else:
            self._unknown.pop(key, None)
            _remember(self._known, key, found, until, now)

    def _forget(self) -> None:
        self._known.clear()
        self._unknown.clear()


def _remember(memory: "OrderedDict[Key, tuple[float, Held]]", key: Key, value: Held, until: float, now: float) -> None:
    """Those remembered longest stand first, and are forgotten once their time is over."""
    memory[key] = (until, value)
    memory.move_to_end(key)
    while memory and (next(iter(memory.values()))[0] <= now or len(memory) > _SIZE):
        memory.popitem(last=False)
