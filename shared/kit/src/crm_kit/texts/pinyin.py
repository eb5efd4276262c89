"""How Chinese characters are read, in Latin letters without tones.

The readings are pypinyin's, of single characters, kept in some 250 kB: the module itself keeps 12 MB, and its phrases, which
hold hardly a name, 44 more.
"""

import re
import unicodedata
from array import array
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import orjson

# Two blocks hold nearly all: what is common, with the first extension; and the rarer ones.
_BLOCKS: Final = ((0x3400, 0xA000), (0x20000, 0x32400))
_ENTRIES: Final = re.compile(rb'"(\d+)":\s*("[^"]*")')
_REMEMBERED: Final = 20_000

# Characters that are read otherwise in surnames than elsewhere.
_SURNAME_READINGS: Final = dict(
    pair.split("=")
    for pair in """
    曾=zeng 单=shan 仇=qiu 解=xie 查=zha 朴=piao 任=ren 盖=ge 区=ou 尉迟=yuchi 万俟=moqi 长孙=zhangsun 澹台=tantai
    翟=zhai 乐=yue 黑=he 种=chong 秘=bi 冼=xian 折=she 员=yun 燕=yan 宁=ning 覃=qin 缪=miao 召=shao 教=jiao 曲=qu 哈=ha
    """.split()
)

# What many do not tell apart when they hear or type it: zh and z, ch and c, sh and s, n and ng.
_CONFUSED: Final = re.compile(r"(?<=[zcs])h|(?<=[aei]n)g")


class _Readings(NamedTuple):
    """`places`: by block, which of `kinds` each character has; 0 is none. `others`: outside of the blocks."""

    kinds: list[tuple[str, ...]]
    places: tuple["array[int]", ...]
    others: Mapping[str, tuple[str, ...]]


@cache
def _readings() -> _Readings:
    package = find_spec("pypinyin")
    assert package is not None, "pypinyin is installed"
    assert package.origin is not None, "pypinyin is installed"
    # The file alone: to import the package would keep all that it holds.
    told = (Path(package.origin).parent / "pinyin_dict.json").read_bytes()
    plain_of = cache(_plain)
    kinds: dict[tuple[str, ...], int] = {(): 0}
    places = tuple(array("H", bytes(2 * (end - begin))) for begin, end in _BLOCKS)
    others = {}
    # Entry by entry: 42,000 texts at a time would leave 7 MB of the process behind.
    for entry in _ENTRIES.finditer(told):
        code, plain = int(entry[1]), plain_of(entry[2])
        for (begin, end), place in zip(_BLOCKS, places, strict=True):
            if begin <= code < end:
                place[code - begin] = kinds.setdefault(plain, len(kinds))
                break
        else:
            others[chr(code)] = plain
    return _Readings(list(kinds), places, others)


def _plain(spelled: bytes) -> tuple[str, ...]:
    """Of a JSON text, `"yīn,yān"`, without tones; ü is u, since few keyboards have it."""
    readings: str = orjson.loads(spelled)
    decomposed = (unicodedata.normalize("NFD", reading) for reading in readings.split(","))
    plain = ("".join(letter for letter in reading if letter.isascii() and letter.isalpha()) for reading in decomposed)
    return tuple(dict.fromkeys(filter(None, plain)))


@lru_cache(maxsize=_REMEMBERED)
def readings_of(character: str) -> tuple[str, ...]:
    """All that a character is read as, the usual one first; empty for what is no Chinese character."""
    known, code = _readings(), ord(character)
    for (begin, end), place in zip(_BLOCKS, known.places, strict=True):
        if begin <= code < end:
            return known.kinds[place[code - begin]]
    return known.others.get(character, ())


@lru_cache(maxsize=_REMEMBERED)
def _usual_reading(character: str) -> str:
    return next(iter(readings_of(character)), character)


def pinyin(characters: str) -> str:
    """In Latin letters, without tones and spaces: `晓梅` is `xiaomei`."""
    return "".join(map(_usual_reading, characters))


def surname_pinyin(surname: str) -> str:
    """As surnames are read: `曾` is `zeng`."""
    return _SURNAME_READINGS.get(surname) or pinyin(surname)


@cache
def syllables() -> frozenset[str]:
    """Everything that a character is read as and that has a vowel."""
    known = _readings()
    every = [*known.kinds, *known.others.values()]
    return frozenset(reading for kind in every for reading in kind if not set(reading).isdisjoint("aeiou"))


@lru_cache(maxsize=_REMEMBERED)
def sound(latin: str) -> str:
    """What is alike where the speaker or typist mixes up sounds of Chinese: `zhang` and `zang`, `ying` and `yin`."""
    return _CONFUSED.sub("", latin)
