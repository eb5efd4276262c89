"""What written words are compared by: one case, one script, no marks, Chinese in simplified characters and in pinyin. Pure."""

import os
import re
import unicodedata
from functools import lru_cache
from typing import Final

from opencc import OpenCC

# Read as it is imported. Its phrases take 44 MB of every process, and hold hardly a name.
os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")

from pypinyin import Style, lazy_pinyin  # behind what it reads

_SIMPLIFIED: Final = OpenCC("t2s")
_HAN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_HAN_OR_WORD: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+|[a-z]+|\d+")
_MARKS: Final = re.compile(r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f]")
_JOINERS: Final = re.compile(r"[.'’`´·\u200b-\u200f]")

# Letters that Unicode does not take apart, as passports spell them (ICAO 9303, part 3).
_LETTERS: Final = str.maketrans(
    {"ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"}
)

_REMEMBERED: Final = 20_000
"""Characters, words, short texts: a few thousand make up most names and towns."""

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


@lru_cache(maxsize=_REMEMBERED)
def fold(text: str) -> str:
    """In lower case, without marks and in simplified characters: `É`, `ｅ` and `e` are one, and so are `歐` and `欧`."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
    if _HAN.search(plain):
        plain = _SIMPLIFIED.convert(plain)
    return _MARKS.sub("", unicodedata.normalize("NFD", plain))


def words(folded: str) -> list[str]:
    """The runs of Latin letters, of digits and of Chinese characters; other scripts' words as they stand.

    What joins two parts of one word is dropped: `o'neill` is one, `anne-marie` are two.
    """
    joined = _JOINERS.sub("", folded)
    found = _HAN_OR_WORD.findall(joined)
    return found or [word for word in joined.split() if any(map(str.isalnum, word))]


def has_han(text: str) -> bool:
    """Whether there is a Chinese character in it."""
    return _HAN.search(text) is not None


@lru_cache(maxsize=_REMEMBERED)
def _syllable(character: str) -> str:
    return lazy_pinyin(character, style=Style.NORMAL)[0].replace("v", "u")  # ü, which few keyboards have


def pinyin(characters: str) -> str:
    """In Latin letters, without tones and spaces: `晓梅` is `xiaomei`."""
    return "".join(map(_syllable, characters))


def surname_pinyin(surname: str) -> str:
    """As surnames are read: `曾` is `zeng`."""
    return _SURNAME_READINGS.get(surname) or pinyin(surname)


@lru_cache(maxsize=_REMEMBERED)
def sound(latin: str) -> str:
    """What is alike where the speaker or typist mixes up sounds of Chinese: `zhang` and `zang`, `ying` and `yin`."""
    return _CONFUSED.sub("", latin)
