"""A bounded memory of keys looked up, those that nobody has included. Entries live for seconds."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from crm_kit.http.principal import Principal

TTL_SECONDS: Final = 5.0
"""How long a key that was revoked in another process may still pass."""

_SIZE: Final = 10_000
_REVOKED_SECONDS: Final = 30.0

Value = TypeVar("Value")

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that exists: for whom it acts, until when."""

    principal: Principal
    expires_at: datetime | None


FindKey = Callable[[bytes], Awaitable[KnownKey | None]]
"""From a key's digest to the key, revoked ones excepted."""


class KnownKeys:
    """Keys by digest. Unknown digests have a memory of their own, so that a flood of them displaces no key."""

    def __init__(self, find: FindKey, clock: Clock) -> None:
        self._find = find
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, KnownKey]] = OrderedDict()
        self._unknown: OrderedDict[bytes, tuple[float, None]] = OrderedDict()
        self._lookups: dict[bytes, asyncio.Task[KnownKey | None]] = {}
        self._revoked: dict[str, float] = {}

    async def get(self, digest: bytes) -> KnownKey | None:
        """None for a key that nobody has, or that was revoked."""
        now = self._clock()
        if (known := self._known.get(digest)) and known[0] > now:
            return self._unless_revoked(known[1], now)
        if (unknown := self._unknown.get(digest)) and unknown[0] > now:
            return None
        found = await self._look_up(digest)
        if found is None:
            _remember(self._unknown, digest, None, now)
            return None
        _remember(self._known, digest, found, now)
        return self._unless_revoked(found, now)

    def revoke(self, key_id: str) -> None:
        """At once in this process, also before the revoking transaction has committed."""
        now = self._clock()
        self._revoked = {known: until for known, until in self._revoked.items() if until > now}
        self._revoked[key_id] = now + _REVOKED_SECONDS

    @property
    def remembered(self) -> int:
        """Digests remembered, of keys and of none."""
        return len(self._known) + len(self._unknown)

    def _unless_revoked(self, key: KnownKey, now: float) -> KnownKey | None:
        return None if self._revoked.get(key.principal.credential, 0.0) > now else key

    async def _look_up(self, digest: bytes) -> KnownKey | None:
        """One look-up at a time for each key, however many requests wait for it."""
        task = self._lookups.get(digest)
        if task is None:
            task = self._lookups[digest] = asyncio.ensure_future(self._find(digest))
            task.add_done_callback(lambda _: self._lookups.pop(digest, None))
        return await asyncio.shield(task)


def _remember(memory: "OrderedDict[bytes, tuple[float, Value]]", digest: bytes, value: Value, now: float) -> None:
    """Those remembered longest stand first, and are forgotten once their time is over."""
    memory[digest] = (now + TTL_SECONDS, value)
    memory.move_to_end(digest)
    while next(iter(memory.values()))[0] <= now or len(memory) > _SIZE:
        memory.popitem(last=False)
