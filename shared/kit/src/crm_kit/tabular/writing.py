"""Writing tables."""

import csv
import io
from collections.abc import Iterable, Sequence

from crm_kit.tabular.formulas import defused

BYTE_ORDER_MARK = "\ufeff".encode()
"""By which a spreadsheet knows that what follows is UTF-8."""


def csv_lines(rows: Iterable[Sequence[str]], *, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """RFC 4180, with what a spreadsheet would run defused."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([defused(cell) for cell in row] for row in rows)
    return text.getvalue().encode(encoding)
