"""Standard output, one line after the other: also where several processes and threads write to it."""

import sys
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Final


class Output:
    """A stream of whole lines, as bytes or as text. What was written before in the usual way comes first.

    A pipe takes 4,096 bytes at once, and then may take another's: so only one process writes at a time.
    """

    def __init__(self) -> None:
        self._mine = Lock()
        self._guard: AbstractContextManager[None] = nullcontext()

    def share(self, guard: AbstractContextManager[None]) -> None:
        """From now on with processes that have the same guard."""
        self._guard = guard

    def write(self, lines: bytes | str) -> int:
        left = memoryview(lines.encode(errors="backslashreplace") if isinstance(lines, str) else lines)
        with self._mine, self._guard:
            stream = sys.stdout.buffer
            while left:  # unbuffered, a stream may take a part
                left = left[stream.write(left) or 0 :]
            stream.flush()
        return len(lines)

    def flush(self) -> None:
        """What is written is out."""


OUTPUT: Final = Output()
