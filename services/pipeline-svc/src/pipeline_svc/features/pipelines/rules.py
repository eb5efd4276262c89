"""Pure decisions about pipelines: their stages, and those that a tenant begins with."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, get_args

from crm_contracts.pipeline import StageKind

USUAL_PROBABILITY: Final[dict[StageKind, int]] = {"open": 50, "won": 100, "lost": 0}


class UsualStage(NamedTuple):
    en: str
    zh: str
    probability: int
    kind: StageKind
    rotting_days: int | None


USUAL_STAGES: Final = (
    UsualStage("New", "新商机", 10, "open", 7),
    UsualStage("Qualified", "需求确认", 25, "open", 14),
    UsualStage("Proposal", "方案报价", 50, "open", 14),
    UsualStage("Negotiation", "商务谈判", 75, "open", 30),
    UsualStage("Won", "赢单", 100, "won", None),
    UsualStage("Lost", "输单", 0, "lost", None),
)


def in_chinese(region: str) -> bool:
    """Whether what a new tenant of this region (ISO 3166-1) is given has Chinese names."""
    return region == "CN"


def missing_kinds(kinds: Iterable[StageKind]) -> list[StageKind]:
    """Which kinds a pipeline with stages of these kinds lacks: deals must be able to start, to be won and to be lost."""
    present = set(kinds)
    return [kind for kind in get_args(StageKind) if kind not in present]


def orders(given: Sequence[int | None]) -> list[int]:
    """The order of each stage of a list, all different.

    One that is left out follows the stage before it. Of equal ones the first in the list comes first, and the others
    move up; no order is lowered.
    """
    wished: list[int] = []
    for order in given:
        wished.append(order if order is not None else wished[-1] + 1 if wished else 0)
    result = [0] * len(wished)
    last = -1
    for index in sorted(range(len(wished)), key=lambda index: (wished[index], index)):
        last = max(wished[index], last + 1)
        result[index] = last
    return result
