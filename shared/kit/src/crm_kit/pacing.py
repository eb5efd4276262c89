"""How much of a process its background work takes."""

import time
from datetime import timedelta
from typing import Final

_LONGEST_REST: Final = 5.0


def rest_after(took: float, *, round_seconds: float, longest: float) -> float:
    """Seconds until the next round of work of which the last one took so many.

    `round_seconds` from the beginning of a round to that of the next: what comes meanwhile shares its cost. And as long as it
    took, up to `longest`: the other half of the process is the requests'.
    """
    return max(round_seconds - took, min(took, longest))


def rest_since(began: float) -> timedelta:
    """Until the next step of long work of which one began then, by `time.monotonic`: for as long as it took."""
    took = time.monotonic() - began
    return timedelta(seconds=rest_after(took, round_seconds=0.0, longest=_LONGEST_REST))
