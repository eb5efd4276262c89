"""When a delivery is tried again. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_HOUR: Final = 3600.0
WAITS: Final[Sequence[float]] = (5, 300, 1800, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR)
"""Seconds from one attempt to the next, before jitter: ten attempts in 75 hours, as Standard Webhooks proposes."""

_JITTER: Final = 0.2
_THROTTLED_SECONDS: Final = 60.0
_LONGEST_SECONDS: Final = 24 * _HOUR
_PROBE_SECONDS: Final = 5.0
_LONGEST_PROBE_SECONDS: Final = 600.0

THROTTLED: Final = frozenset({429, 502, 503, 504})
GONE: Final = 410
TOO_MANY: Final = 429
FAILURES: Final = 5
"""So many requests in a row that fail are the endpoint's fault: it rests, and is then tried with one."""


def wait(attempts: int, chance: float, *, retry_after: float | None = None, throttled: bool = False) -> timedelta:
    """Until the next attempt after so many. `chance`: from 0 to 1, for the jitter of a fifth each way.

    What the receiver asks for by Retry-After is waited for, up to a day; who is asked too much, or says nothing, and does not ask
    for a time, gets a minute at least.
    """
    base = WAITS[min(attempts, len(WAITS)) - 1] * (1 + _JITTER * (2 * chance - 1))
    if throttled and retry_after is None:
        base = max(base, _THROTTLED_SECONDS)
    return timedelta(seconds=max(base, min(retry_after or 0.0, _LONGEST_SECONDS)))


def is_given_up(attempts: int, *, others_arrived: bool) -> bool:
    """Whether a delivery is tried no more: all attempts are made, and the endpoint takes others meanwhile."""
    return attempts > len(WAITS) and others_arrived


def rest(failures: int, chance: float) -> timedelta | None:
    """How long an endpoint is asked nothing after so many failures in a row; None for not at all."""
    if failures < FAILURES:
        return None
    seconds = min(_PROBE_SECONDS * 2 ** min(failures - FAILURES, 20), _LONGEST_PROBE_SECONDS)
    return timedelta(seconds=seconds * (1 + _JITTER * (2 * chance - 1)))


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds, by the header of RFC 9110, section 10.2.3; None for what is neither form."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - now).total_seconds()) if moment.tzinfo else None
