"""What a cell says: days, numbers, lists, as people write them in spreadsheets. Pure."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

import orjson

_YEAR_FIRST = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?"
)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)")
_YEAR_LAST = re.compile(r"(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*\2\s*(\d{4})")
_SEPARATORS = re.compile(r"[;；,，、|\n\r]+")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")

_TRUE: Final = frozenset({"true", "yes", "y", "1", "x", "是", "真", "√", "有", "对"})
_FALSE: Final = frozenset({"false", "no", "n", "0", "否", "假", "×", "无", "错"})


class Ambiguous(ValueError):
    """A day that could be read in two ways."""


def day(text: str, *, day_first: bool | None = None) -> date:
    """1990-01-02, 1990/1/2, 19900102, 1990年1月2日; also 2.1.1990, and 1/2/1990 where `day_first` says which is the day.

    Raises Ambiguous where it does not and both could be, ValueError for what is no day.
    """
    text = text.strip()
    if found := _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text):
        return date(int(found[1]), int(found[2]), int(found[3]))
    found = _YEAR_LAST.fullmatch(text)
    if found is None:
        raise ValueError(text)
    first, second, year = int(found[1]), int(found[3]), int(found[4])
    if day_first is None and found[2] == ".":
        day_first = True  # nobody writes months first with dots
    if day_first is None and first != second and max(first, second) <= 12:
        raise Ambiguous(text)
    if day_first is None:
        day_first = first > 12
    return date(year, second, first) if day_first else date(year, first, second)


def number(text: str) -> int | float:
    """1999, 1,999.00, ￥1999. Raises ValueError."""
    plain = text.strip().lstrip("¥￥$€£").strip()
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    return int(plain) if re.fullmatch(r"[+-]?\d+", plain, re.ASCII) else float(plain)


def truth(text: str) -> bool:
    """Yes or no, in English or Chinese. Raises ValueError."""
    word = text.strip().casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(text)


def several(text: str) -> list[str]:
    """The parts of a cell that holds a list: between commas, semicolons, bars or lines, also in Chinese punctuation; or the
    texts of a JSON array.
    """
    if text.startswith("["):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, list) and all(isinstance(part, str) for part in found):
            return found
    return [part for piece in _SEPARATORS.split(text) if (part := piece.strip())]


def joined(parts: Sequence[str]) -> str:
    """A cell of which `several` makes these parts again."""
    plain = "; ".join(parts)
    return plain if several(plain) == list(parts) else orjson.dumps(list(parts)).decode()
