"""A bound on guessing: failed authentications, counted by client address and by what a credential begins with.

A credential that was good within the hour is never held up, whoever guesses from the same address or at the same key.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gateway.access.rate_limit import RateLimiter

_SIZE: Final = 10_000
_GOOD_SECONDS: Final = 3_600.0
_WINDOW_SECONDS: Final = 60
_OF_A_PREFIX: Final = 10
"""How many times as often as from one address: guesses at one key may come from many."""


class FailedAttempts:
    """`quota` failures at once from one address, refilled evenly over a minute. Each process counts for itself."""

    def __init__(self, quota: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._addresses = RateLimiter(quota, _WINDOW_SECONDS, clock)
        self._prefixes = RateLimiter(quota * _OF_A_PREFIX, _WINDOW_SECONDS, clock)
        self._good: OrderedDict[bytes, float] = OrderedDict()

    def wait(self, address: str, prefix: str | None, digest: bytes) -> int:
        """Seconds until this credential may be tried; 0: now."""
        waits = [self._addresses.wait(address)]
        if prefix is not None:
            waits.append(self._prefixes.wait(prefix))
        if not any(waits) or self._good.get(digest, -math.inf) > self._clock() - _GOOD_SECONDS:
            return 0
        return math.ceil(max(waits))

    def failed(self, address: str, prefix: str | None) -> None:
        self._addresses.take(address)
        if prefix is not None:
            self._prefixes.take(prefix)

    def succeeded(self, digest: bytes) -> None:
        self._good[digest] = self._clock()
        self._good.move_to_end(digest)
        if len(self._good) > _SIZE:
            self._good.popitem(last=False)

    @property
    def remembered(self) -> int:
        """Addresses, prefixes and credentials remembered."""
        return self._addresses.remembered + self._prefixes.remembered + len(self._good)
