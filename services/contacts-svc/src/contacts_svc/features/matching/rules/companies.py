"""Companies' names without their legal form and seat. Pure."""

import re
from typing import Final

from rapidfuzz import fuzz

from contacts_svc.features.matching.rules import text

_FORMS: Final = frozenset(
    """
    inc incorporated corp corporation co company ltd limited llc llp plc gmbh ag kg mbh sa sas sarl srl spa bv nv oy ab as
    pty pte holding holdings group intl international the and
    """.split()
)
_HAN_FORMS: Final = re.compile(r"(股份|有限|责任|公司|集团|控股|总部|分公司|子公司|总公司)")
_HAN_SEAT: Final = re.compile(r"^(?:中国)?(?:\w{2,3}?省)?(?:\w{2,3}?市)?(?=\S{2,})")


def company_of(name: str | None) -> str:
    """`上海星河科技股份有限公司` is `上海星河科技`, `Acme Corp., Ltd.` is `acme`; empty where nothing is left."""
    folded = text.fold(name or "")
    if text.has_han(folded):
        return _HAN_FORMS.sub("", _HAN_SEAT.sub("", "".join(text.words(folded))))
    return " ".join(word for word in text.words(folded) if word not in _FORMS)


def compare_companies(one: str, other: str) -> str:
    """`same`, `alike` where one is short for the other or misspelt, else `different`."""
    if one == other:
        return "same"
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) >= 2 and shorter in longer and (len(shorter) * 2 >= len(longer) or text.has_han(shorter)):
        return "alike"
    return "alike" if len(shorter) >= 4 and fuzz.ratio(one, other, score_cutoff=85) else "different"
