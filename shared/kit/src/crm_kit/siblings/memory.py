"""Memory that processes of one port share, and who may touch it at a time."""

import mmap
import multiprocessing
import struct
from contextlib import AbstractContextManager, nullcontext
from typing import Final

_PATIENCE_SECONDS: Final = 0.25
"""Who holds the guard is done within microseconds, unless it was killed with it; the whole is then started anew."""

_ENTRY: Final = struct.Struct("48s2q")
_ENTRIES: Final = 64
_ALIGNED: Final = 4096


class Guard:
    """Mutual exclusion over processes that were forked after it was made. Not for long: whoever waits, waits with its loop."""

    __slots__ = ("_acquire", "_held", "_patience", "_release")

    def __init__(self) -> None:
        lock = multiprocessing.get_context("fork").Lock()
        self._acquire, self._release = lock.acquire, lock.release
        self._patience = _PATIENCE_SECONDS
        self._held = False

    def __enter__(self) -> None:
        self._held = self._acquire(True, self._patience)
        self._patience = _PATIENCE_SECONDS if self._held else 0.0  # a dead holder is waited for once

    def __exit__(self, *_: object) -> None:
        if self._held:
            self._release()


class Arena:
    """Regions by name, all zero at first. Those of several processes are the same wherever the arena was made before they were
    forked; a page of it takes memory once it is written.
    """

    def __init__(self, size: int, guard: AbstractContextManager[None]) -> None:
        self._memory = memoryview(mmap.mmap(-1, _ALIGNED + size))
        self._guard = guard

    def region(self, name: str, size: int) -> memoryview:
        """Made by whoever asks first. Raises MemoryError where the arena is full."""
        named, begin = name.encode(), _ALIGNED
        with self._guard:
            for number in range(_ENTRIES):
                place = number * _ENTRY.size
                known, at, length = _ENTRY.unpack_from(self._memory, place)
                if not length:
                    if begin + size > len(self._memory):
                        break
                    _ENTRY.pack_into(self._memory, place, named, begin, size)
                    return self._memory[begin : begin + size]
                if known.rstrip(b"\0") == named:
                    return self._memory[at : at + size]
                begin = at + -(-length // _ALIGNED) * _ALIGNED
        raise MemoryError(f"no room for {name}")


def unguarded() -> AbstractContextManager[None]:
    """The guard of a process that shares nothing."""
    return nullcontext()
