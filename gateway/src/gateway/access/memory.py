"""A bounded memory of what was looked up, and of what was not found. Entries live for seconds."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

TTL_SECONDS: Final = 5.0
"""How long what was changed by another process may still count here."""

_SIZE: Final = 10_000

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Held = TypeVar("Held")

Clock = Callable[[], float]


class Memory(Generic[Key, Value]):
    """What is not found has a memory of its own, so that a flood of it displaces nothing that is there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._unknown: OrderedDict[Key, tuple[float, None]] = OrderedDict()
        self._lookups: dict[Key, asyncio.Task[Value | None]] = {}

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
        found = await self._look_up(key, find)
        if found is None:
            _remember(self._unknown, key, None, now)
        else:
            _remember(self._known, key, found, now)
        return found

    @property
    def remembered(self) -> int:
        """Entries, of what is there and of what is not."""
        return len(self._known) + len(self._unknown)

    async def _look_up(self, key: Key, find: Callable[[], Awaitable[Value | None]]) -> Value | None:
        """One look-up at a time for each key, however many requests wait for it."""
        task = self._lookups.get(key)
        if task is None:
            task = self._lookups[key] = asyncio.ensure_future(find())
            task.add_done_callback(lambda _: self._lookups.pop(key, None))
        return await asyncio.shield(task)


def _remember(memory: "OrderedDict[Key, tuple[float, Held]]", key: Key, value: Held, now: float) -> None:
    """Those remembered longest stand first, and are forgotten once their time is over."""
    memory[key] = (now + TTL_SECONDS, value)
    memory.move_to_end(key)
    while next(iter(memory.values()))[0] <= now or len(memory) > _SIZE:
        memory.popitem(last=False)
