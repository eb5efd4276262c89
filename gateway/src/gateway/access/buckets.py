"""Token buckets by subject in a memory of fixed size, which several processes may share: a table of sets, as a processor's cache is."""

import struct
from contextlib import AbstractContextManager
from typing import Final

from crm_kit.siblings import Siblings

_WAYS: Final = 16
_SETS: Final = 8_192
_MARKS: Final = struct.Struct(f"{_WAYS}q")
_SET_WORDS: Final = 3 * _WAYS
"""The marks of a set's subjects, then their levels, then as of when."""

_LEVEL: Final = _WAYS
_SINCE: Final = 2 * _WAYS


class Buckets:
    """131,072 of them at most. Whoever touches one holds `guard`.

    A subject is known by the hash that Python gives its text, which processes forked from one another have in common and nobody
    else can foresee.
    """

    def __init__(self, siblings: Siblings, name: str) -> None:
        self.guard: AbstractContextManager[None] = siblings.guard
        self._memory = siblings.region(name, _SETS * _SET_WORDS * 8)
        self._marks = self._memory.cast("q")
        self._numbers = self._memory.cast("d")

    def find(self, subject: str) -> int | None:
        """Its place, if it has one."""
        mark = hash(subject) or 1
        first = mark % _SETS * _SET_WORDS
        marks = _MARKS.unpack_from(self._memory, first * 8)
        return first + marks.index(mark) if mark in marks else None

    def make(self, subject: str) -> int:
        """A place for one that has none: in its set a free one, or that of who asked longest ago."""
        mark = hash(subject) or 1
        first = mark % _SETS * _SET_WORDS
        places = range(first, first + _WAYS)
        place = min(places, key=lambda each: (self._marks[each] != 0, self._numbers[each + _SINCE]))
        self._marks[place] = mark
        return place

    def get(self, place: int) -> tuple[float, float]:
        """The level, and as of when."""
        return self._numbers[place + _LEVEL], self._numbers[place + _SINCE]

    def put(self, place: int, level: float, since: float) -> None:
        self._numbers[place + _LEVEL] = level
        self._numbers[place + _SINCE] = since

    def count(self, since: float) -> int:
        """Those touched after a moment. Looks through all of them."""
        count = 0
        for first in range(0, _SETS * _SET_WORDS, _SET_WORDS):
            for place in range(first, first + _WAYS):
                count += self._marks[place] != 0 and self._numbers[place + _SINCE] > since
        return count
