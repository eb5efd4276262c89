"""What a check has found."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from crm_kit.db.session import ReadSession

State = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`sentence`: what is so, and, unless it is well, what to do. A fault stops or endangers something; a warning does not yet."""

    check: str
    state: State
    sentence: str


Check = Callable[[ReadSession], AsyncIterator[Finding]]
"""Looks at a feature's tables, in the system role's session without tenant; its statements are cheap however much lies there."""


def ok(check: str, sentence: str) -> Finding:
    return Finding(check, "ok", sentence)


def warning(check: str, sentence: str) -> Finding:
    return Finding(check, "warning", sentence)


def fault(check: str, sentence: str) -> Finding:
    return Finding(check, "fault", sentence)


def names(found: Iterable[str], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    every = sorted(found)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
