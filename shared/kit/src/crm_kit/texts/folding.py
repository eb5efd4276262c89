"""Texts that mean the same are one: case, width, marks, traditional and simplified characters."""

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opencc import OpenCC

_HAN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_MARKS: Final = re.compile(r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f]")

# Letters that Unicode does not take apart, as passports spell them (ICAO 9303, part 3).
_LETTERS: Final = str.maketrans(
    {"ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"}
)

_REMEMBERED: Final = 20_000
"""Characters and short texts: a few thousand make up most names and towns."""


@cache
def _simplified() -> "OpenCC":
    from opencc import OpenCC  # 6 MB, for who meets Chinese

    return OpenCC("t2s")


@lru_cache(maxsize=_REMEMBERED)
def fold(text: str) -> str:
    """In lower case, without marks and in simplified characters: `É`, `ｅ` and `e` are one, and so are `歐` and `欧`."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
    if _HAN.search(plain):
        plain = _simplified().convert(plain)
    return _MARKS.sub("", unicodedata.normalize("NFD", plain))


@lru_cache(maxsize=_REMEMBERED)
def _fold_character(character: str) -> str:
    return fold(character)


def fold_each(text: str) -> str:
    """As `fold`, each character by itself: so that what a part of a text is folded to is a part of what the text is.

    Whole texts are simplified by their phrases: the `乾` of `乾隆` stays, by itself it is `干`.
    """
    if text.isascii():
        return text.casefold()
    return "".join(map(_fold_character, unicodedata.normalize("NFKC", text)))


def has_han(text: str) -> bool:
    """Whether there is a Chinese character in it."""
    return _HAN.search(text) is not None
