"""How often somebody may ask: a token bucket for each, shared by the processes of a port, now and then settled with other replicas."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from crm_kit.http.structured_fields import rate_limit_policy, string_item
from crm_kit.siblings import Siblings

from gateway.access.buckets import Buckets

_ROUNDING: Final = 1e-9


class Verdict(NamedTuple):
    """Whether a request may pass, and what is left of the quota."""

    allowed: bool
    limiter: "RateLimiter"
    level: float

    @property
    def headers(self) -> dict[str, str]:
        """They tell the client where it stands (RateLimit draft)."""
        return self.limiter.headers(self.level, self.allowed)

    @property
    def fields(self) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """The same of one who may pass, as they are sent."""
        return self.limiter.fields(self.level)


class RateLimiter:
    """`quota` requests at once, refilled evenly over `window_seconds`, whichever of `siblings` are asked; `clock` is the same for
    all of them. Of limiters that share, those of one `name` are one.

    What was spent here since the last time is collected by who settles it with other replicas (`shared_limits.py`); nobody
    waits for that. Where nobody does, each replica counts for itself.
    """

    def __init__(
        self,
        quota: int,
        window_seconds: int,
        clock: Callable[[], float],
        *,
        policy: str = "default",
        siblings: Siblings | None = None,
        name: str = "",
    ) -> None:
        self._item = string_item(policy)
        self._quota = quota
        self._rate = quota / window_seconds
        self._clock = clock
        self._window = window_seconds
        self._policy = rate_limit_policy(policy, quota=quota, window_seconds=window_seconds)
        self._policy_field = (b"ratelimit-policy", self._policy.encode())
        self._buckets = Buckets(siblings or Siblings(), f"quota: {name or policy}")
        self._guard = self._buckets.guard
        self._spent: dict[tuple[str, str], int] = {}

    @property
    def quota(self) -> int:
        return self._quota

    @property
    def rate(self) -> float:
        """Requests that flow back in a second."""
        return self._rate

    def take(self, subject: str, tenant_id: str | None = None) -> Verdict:
        """Counts one request of `subject`; with a tenant, also for the other processes."""
        now, buckets = self._clock(), self._buckets
        with self._guard:
            place = buckets.find(subject)
            level = self._level(place, now)
            allowed = level >= 1.0 - _ROUNDING
            if allowed:
                level = max(0.0, level - 1.0)
            buckets.put(buckets.make(subject) if place is None else place, level, now)
        if allowed and tenant_id is not None:
            key = (tenant_id, subject)
            self._spent[key] = self._spent.get(key, 0) + 1
        return Verdict(allowed, self, level)

    def wait(self, subject: str) -> float:
        """Seconds until one request of `subject` may pass, without counting one; 0: now."""
        now = self._clock()
        with self._guard:
            level = self._level(self._buckets.find(subject), now)
        return 0.0 if level >= 1.0 - _ROUNDING else (1.0 - level) / self._rate

    def _level(self, place: int | None, now: float) -> float:
        """What is left; after a whole window the quota is whole, as if nobody had asked."""
        if place is None:
            return self._quota
        level, since = self._buckets.get(place)
        if now > since:
            level += (now - since) * self._rate
        return level if level < self._quota else self._quota

    def collect(self) -> dict[tuple[str, str], int]:
        """By tenant and subject: what was spent since the last time."""
        spent, self._spent = self._spent, {}
        return spent

    def settle(self, tenant_id: str, subject: str, level: float, seconds: float) -> None:
        """`level` is what all replicas together have left, as of what was collected last; below 0 they overdrew.

        It may lag behind by what flows back in `seconds`: a replica that is alone is not held to less than it knows.
        """
        now, buckets = self._clock(), self._buckets
        shared = level - self._spent.get((tenant_id, subject), 0) + self._rate * seconds
        with self._guard:
            place = buckets.find(subject)
            settled = min(self._level(place, now), shared)
            buckets.put(buckets.make(subject) if place is None else place, settled, now)

    @property
    def remembered(self) -> int:
        """Subjects whose quota is not known to be whole."""
        return self._buckets.count(self._clock() - self._window)

    def headers(self, level: float, allowed: bool) -> dict[str, str]:
        """The RateLimit field: what is left, and in how many seconds the quota is whole again; of who was refused, in how
        many one request may pass.
        """
        seconds = self._seconds(level, self._quota if allowed else 1.0)
        headers = {"RateLimit-Policy": self._policy, "RateLimit": self._left(level, seconds)}
        if not allowed:
            headers["Retry-After"] = str(seconds)
        return headers

    def fields(self, level: float) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """The headers of one who may pass, as they are sent."""
        left = self._left(level, self._seconds(level, self._quota))
        return self._policy_field, (b"ratelimit", left.encode())

    def _seconds(self, level: float, wanted: float) -> int:
        """Until so much has flowed back."""
        return math.ceil((wanted - level) / self._rate)

    def _left(self, level: float, seconds: int) -> str:
        return f"{self._item};r={max(0, int(level))};t={seconds}"
