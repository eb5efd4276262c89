"""What written words are compared by: one case, one script, no marks, Chinese in simplified characters and in pinyin. Pure."""

import re
from typing import Final

from crm_kit.texts.folding import fold, has_han
from crm_kit.texts.pinyin import pinyin, sound, surname_pinyin

__all__ = ["fold", "has_han", "pinyin", "sound", "surname_pinyin", "words"]

_HAN_OR_WORD: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+|[a-z]+|\d+")
_JOINERS: Final = re.compile(r"[.'’`´·\u200b-\u200f]")


def words(folded: str) -> list[str]:
    """The runs of Latin letters, of digits and of Chinese characters; other scripts' words as they stand.

    What joins two parts of one word is dropped: `o'neill` is one, `anne-marie` are two.
    """
    joined = _JOINERS.sub("", folded)
    found = _HAN_OR_WORD.findall(joined)
    return found or [word for word in joined.split() if any(map(str.isalnum, word))]
