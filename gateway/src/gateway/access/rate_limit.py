"""How often one key may ask: a token bucket for each, in this process."""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from crm_kit.http.structured_fields import rate_limit, rate_limit_policy

_POLICY: Final = "default"
_BUCKETS: Final = 50_000
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and the headers that tell the client where it stands (RateLimit draft)."""

    allowed: bool
    headers: dict[str, str]


class RateLimiter:
    """`quota` requests at once, refilled evenly over `window_seconds`.

    Each replica counts for itself: with several, a key may send so many times more.
    """

    def __init__(self, quota: int, window_seconds: int, clock: Callable[[], float]) -> None:
        self._quota = quota
        self._rate = quota / window_seconds
        self._clock = clock
        self._window = window_seconds
        self._policy = rate_limit_policy(_POLICY, quota=quota, window_seconds=window_seconds)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, subject: str) -> Verdict:
        """Counts one request of `subject`."""
        now = self._clock()
        level = self._level(subject, now)
        allowed = level >= 1.0 - _ROUNDING
        if allowed:
            level = max(0.0, level - 1.0)
        self._buckets[subject] = (level, now)
        self._buckets.move_to_end(subject)
        self._forget(now)
        return Verdict(allowed, self._headers(level, allowed))

    def wait(self, subject: str) -> float:
        """Seconds until one request of `subject` may pass, without counting one; 0: now."""
        level = self._level(subject, self._clock())
        return 0.0 if level >= 1.0 - _ROUNDING else (1.0 - level) / self._rate

    def _level(self, subject: str, now: float) -> float:
        level, since = self._buckets.get(subject, (float(self._quota), now))
        return min(float(self._quota), level + max(0.0, now - since) * self._rate)

    @property
    def remembered(self) -> int:
        """Subjects whose quota is not known to be whole."""
        return len(self._buckets)

    def _forget(self, now: float) -> None:
        """Those who asked longest ago stand first; after a whole window their quota is whole, as if they never had."""
        while now - next(iter(self._buckets.values()))[1] >= self._window or len(self._buckets) > _BUCKETS:
            self._buckets.popitem(last=False)

    def _headers(self, level: float, allowed: bool) -> dict[str, str]:
        # Refused: until one request may pass. Allowed: until the whole quota is there again.
        seconds = math.ceil(((self._quota if allowed else 1.0) - level) / self._rate)
        headers = {
            "RateLimit-Policy": self._policy,
            "RateLimit": rate_limit(_POLICY, remaining=int(level), reset_seconds=seconds),
        }
        if not allowed:
            headers["Retry-After"] = str(seconds)
        return headers
