"""A fault that comes back at every try."""

import time

_AGAIN_SECONDS = 30.0


class Recurring:
    """Tells when to say it: as it begins, as its reason changes, and then now and then."""

    def __init__(self, again_seconds: float = _AGAIN_SECONDS) -> None:
        self._again_seconds = again_seconds
        self._said: dict[str, float] = {}

    def is_news(self, reason: str) -> bool:
        """True if this reason was not said in the last half minute."""
        now = time.monotonic()
        if now - self._said.get(reason, -self._again_seconds) < self._again_seconds:
            return False
        self._said = {said: at for said, at in self._said.items() if now - at < self._again_seconds} | {reason: now}
        return True

    def is_over(self) -> bool:
        """True once after a fault: it is news too that it ended."""
        over = bool(self._said)
        self._said.clear()
        return over
