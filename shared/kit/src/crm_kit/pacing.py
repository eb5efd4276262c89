"""How much of a process its background work takes."""


def rest_after(took: float, *, round_seconds: float, longest: float) -> float:
    """Seconds until the next round of work of which the last one took so many.

    `round_seconds` from the beginning of a round to that of the next: what comes meanwhile shares its cost. And as long as it
    took, up to `longest`: the other half of the process is the requests'.
    """
    return max(round_seconds - took, min(took, longest))
