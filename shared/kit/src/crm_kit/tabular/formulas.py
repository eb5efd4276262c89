"""Cells that a spreadsheet would run as a formula (OWASP, CSV Injection). Pure."""

import re
from typing import Final

_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[\d\s().,-]+")


def defused(cell: str) -> str:
    """Text to whoever opens it: an apostrophe before it. Numbers, also those to be dialled, stay as they are."""
    return f"'{cell}" if cell.startswith(_STARTS) and not _NUMBER.fullmatch(cell) else cell


def restored(cell: str) -> str:
    """What `defused` was given."""
    return cell[1:] if cell.startswith("'") and defused(cell[1:]) == cell else cell
