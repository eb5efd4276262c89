"""How late a consumer is, in seconds, told by where the log ends and where the consumer stands. Pure."""

from collections import deque
from collections.abc import Mapping

from crm_kit.bus.port import Lag, TopicPartition


class Lateness:
    """Remembers when the log was first seen to reach how far: what lies there unread has been there since.

    So it is told at least how long the oldest unread record has waited, but for the time between two looks; of what was there
    before the first look, since that.
    """

    def __init__(self) -> None:
        self._seen: dict[TopicPartition, deque[tuple[int, float]]] = {}

    def seconds(self, lags: Mapping[TopicPartition, Lag], now: float) -> float:
        """`now`: by a clock that never goes back."""
        latest = 0.0
        for tp, lag in lags.items():
            seen = self._seen.setdefault(tp, deque())
            if seen and lag.end < seen[-1][0]:
                seen.clear()  # another log
            if not seen or lag.end > seen[-1][0]:
                seen.append((lag.end, now))
            while seen and seen[0][0] <= lag.position:
                seen.popleft()
            if seen and lag.behind:
                latest = max(latest, now - seen[0][1])
            if len(seen) > _MARKS:
                _thin(seen)
        return latest


_MARKS = 720


def _thin(seen: deque[tuple[int, float]]) -> None:
    """Every second mark but the first: of what waits for long it is told less precisely."""
    kept = [mark for place, mark in enumerate(seen) if place % 2 == 0 or place == len(seen) - 1]
    seen.clear()
    seen.extend(kept)
