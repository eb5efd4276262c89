"""How much of a process its background work takes."""

import time
from datetime import timedelta
from typing import Final

_LONGEST_REST: Final = 5.0


class Pace:
    """Of work that goes on in rounds.

    `round_seconds` from the beginning of a round to that of the next: what comes meanwhile shares its cost. And rests of as long as
    the process was at work during a round, up to `longest`: the other half is the requests'. While a round only waits for PostgreSQL,
    they have it anyway.
    """

    def __init__(self, *, round_seconds: float, longest: float) -> None:
        self._round = round_seconds
        self._longest = longest
        self.begin()

    def begin(self) -> None:
        """Of a round."""
        self._began, self._worked = time.monotonic(), time.thread_time()

    @property
    def rest(self) -> float:
        """Seconds from now, the end of the round, until the next."""
        took, worked = time.monotonic() - self._began, time.thread_time() - self._worked
        return max(self._round - took, min(worked, self._longest))


def rest_since(began: float) -> timedelta:
    """Until the next step of long work of which one began then, by `time.monotonic`: for as long as it took."""
    return timedelta(seconds=min(time.monotonic() - began, _LONGEST_REST))
