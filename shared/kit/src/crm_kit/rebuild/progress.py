"""What a person sees of a rebuild: one line that is written over, or plain lines where nobody watches a terminal."""

import sys
import time
from typing import Final, TextIO

_EVERY_SECONDS: Final = (0.2, 5.0)
"""On a terminal, and elsewhere."""
_CLEAR: Final = "\r\x1b[K"


class Progress:
    """Tells how far each phase is, how fast it goes and how long it will take."""

    def __init__(self, name: str, out: TextIO = sys.stdout) -> None:
        self._name = name
        self._out = out
        self._over = out.isatty()
        self._told_at = 0.0
        self._phase = ""
        self._began = 0.0
        self._first = 0

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self._out.write(f"{_CLEAR if self._over else ''}{self._name}: {sentence}\n")
        self._out.flush()

    def tell(self, phase: str, done: int, total: int, unit: str) -> None:
        """The phase has done so many of `total`; it is shown now and then."""
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._began, self._first, self._told_at = phase, now, done, 0.0
        if now - self._told_at < _EVERY_SECONDS[0 if self._over else 1]:
            return
        self._told_at = now
        line = f"{self._name}: {phase} {_share(done, total)}, {done:,} of {total:,} {unit}"
        rate = (done - self._first) / (now - self._began) if now > self._began else 0.0
        if rate > 0:
            line += f", {rate:,.0f}/s, {_duration((total - done) / rate)} left"
        self._out.write(f"{_CLEAR}{line}" if self._over else f"{line}\n")
        self._out.flush()


def _share(done: int, total: int) -> str:
    return f"{min(100, 100 * done // total) if total else 100}%"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
