"""Cells that a spreadsheet would run as a formula (OWASP, CSV Injection). Pure."""

import re
from typing import Final

_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[\d\s().,-]+")


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet might run it. Numbers, also those to be dialled, it does not."""
    return cell.startswith(_STARTS) and not _NUMBER.fullmatch(cell)


def defused(cell: str) -> str:
    """Text to whoever opens it: an apostrophe before it. What looks as if it had been defused gets one more, so that each
    comes back as it was.
    """
    return f"'{cell}" if is_formula(cell.lstrip("'")) else cell


def restored(cell: str) -> str:
    """What `defused` was given."""
    return cell[1:] if cell.startswith("'") and defused(cell[1:]) == cell else cell
