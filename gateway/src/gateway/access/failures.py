"""A bound on guessing: failed authentications, counted by client address and by what a credential begins with.

A credential that was good within the hour is never held up, whoever guesses from the same address or at the same key.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from crm_kit.siblings import Siblings

from gateway.access.rate_limit import RateLimiter

_SIZE: Final = 10_000
_GOOD_SECONDS: Final = 3_600.0
_WINDOW_SECONDS: Final = 60
_TOLD_SECONDS: Final = 60.0
_OF_A_PREFIX: Final = 10
"""How many times as often as from one address: guesses at one key may come from many."""


class FailedAttempts:
    """`quota` failures at once from one address, refilled evenly over a minute. Each replica counts for itself."""

    def __init__(self, quota: int, clock: Callable[[], float], siblings: Siblings | None = None) -> None:
        self._clock = clock
        shared = siblings or Siblings()
        self._addresses = RateLimiter(quota, _WINDOW_SECONDS, clock, siblings=shared, name="failed addresses")
        self._prefixes = RateLimiter(
            quota * _OF_A_PREFIX, _WINDOW_SECONDS, clock, siblings=shared, name="failed prefixes"
        )
        self._good: OrderedDict[bytes, float] = OrderedDict()
        # What is lost is told again within the minute, if anybody still comes with it.
        self._tell = shared.channel("good-credentials", self._remember, lambda: None)

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
        if self._good.get(digest, -math.inf) < self._clock() - _TOLD_SECONDS:
            self._tell(digest)
        self._remember(digest)

    def _remember(self, digest: bytes) -> None:
        self._good[digest] = self._clock()
        self._good.move_to_end(digest)
        if len(self._good) > _SIZE:
            self._good.popitem(last=False)

    @property
    def remembered(self) -> int:
        """Addresses, prefixes and credentials remembered."""
        return self._addresses.remembered + self._prefixes.remembered + len(self._good)
