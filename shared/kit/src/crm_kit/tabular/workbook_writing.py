"""Rows become a workbook in a process of its own, which gives back what memory that took, and holds one row at a time.

Run as a program: TITLE, rows on stdin, the workbook to stdout. Each row is a JSON array; the first is the header.
"""

import asyncio
import resource
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from typing import Any, BinaryIO, Final

import orjson

from crm_kit.tabular.formulas import defused, is_formula

MAX_SHEET_ROWS: Final = 1_048_576
"""Of one sheet, its header included; what is more goes onto further ones."""

MAX_CELL: Final = 32_767
"""Characters that a cell holds."""

_MAX_MEMORY: Final = 2 * 1024 * 1024 * 1024
_FIRST_DAY: Final = date(1900, 1, 1)
_DATE_WIDTH: Final = 18
_EXACT: Final = 10**15
"""Numbers from here on lose digits to a spreadsheet."""

Cell = str | int | float | bool | dict[str, str] | None
"""`{"date": "1990-01-31"}` and `{"time": "2026-10-01T08:00:00Z"}` become true dates."""


class WorkbookFailed(RuntimeError):
    """The process that wrote it ended without one."""


def workbook_line(cells: Iterable[Cell]) -> bytes:
    """A row as the program reads it."""
    return orjson.dumps(list(cells)) + b"\n"


async def write_workbook(rows: BinaryIO, workbook: BinaryIO, title: str, *, seconds: float) -> None:
    """From one file to another, each from its beginning. Raises WorkbookFailed, also where it takes too long."""
    rows.seek(0)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, title, stdin=rows, stdout=workbook, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(seconds):
            _, told = await child.communicate()
    except BaseException as error:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        if isinstance(error, TimeoutError):
            raise WorkbookFailed(f"not done within {seconds:.0f} s") from error
        raise
    if child.returncode != 0:
        raise WorkbookFailed(told.decode(errors="replace")[-500:])


def write(lines: Iterable[bytes], workbook: BinaryIO, title: str, *, sheet_rows: int = MAX_SHEET_ROWS) -> None:
    """The workbook of these rows."""
    from xlsxwriter import Workbook  # type: ignore[import-untyped]  # in the child alone

    book = Workbook(workbook, {"constant_memory": True})
    writer = _Writer(book, title, sheet_rows)
    for line in lines:
        writer.add(orjson.loads(line))
    book.close()


class _Writer:
    """Begins a sheet wherever the one before is full."""

    def __init__(self, book: Any, title: str, sheet_rows: int) -> None:
        self._book, self._title, self._sheet_rows = book, title, sheet_rows
        self._bold = book.add_format({"bold": True})
        self._formats = {
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
            "time": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        # It would be no formula, but become one as soon as somebody edits the cell.
        self._quoted = book.add_format({"quote_prefix": True})
        self._header: list[str] = []
        self._sheet: Any = None
        self._row = self._sheets = 0

    def add(self, cells: list[Cell]) -> None:
        if self._sheet is None or self._row == self._sheet_rows:
            if self._sheet is None:
                self._header = [str(cell) for cell in cells]
            self._begin()
            if self._sheets == 1:
                return
        for place, cell in enumerate(cells):
            self._write(place, cell)
        self._row += 1

    def _begin(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet(self._title if self._sheets == 1 else f"{self._title} {self._sheets}")
        self._sheet.freeze_panes(1, 0)
        for place, name in enumerate(self._header):
            self._sheet.write_string(0, place, name, self._bold)
        self._row = 1

    def _write(self, place: int, cell: Cell) -> None:
        match cell:
            case None | "":
                return
            case bool():
                self._sheet.write_boolean(self._row, place, cell)
            case int() | float() if abs(cell) < _EXACT:
                self._sheet.write_number(self._row, place, cell)
            case {"date": str(text)}:
                self._write_day(place, text, "date", date.fromisoformat(text))
            case {"time": str(text)}:
                self._write_day(place, text, "time", datetime.fromisoformat(text).replace(tzinfo=None))
            case str():
                # To whoever reads it, as an import does, an apostrophe before a formula is none of the text.
                text = defused(cell) if cell.startswith("'") else cell
                self._sheet.write_string(self._row, place, text, self._quoted if is_formula(cell) else None)
            case _:
                self._sheet.write_string(self._row, place, str(cell))

    def _write_day(self, place: int, text: str, kind: str, value: date) -> None:
        """A workbook knows no day before 1900."""
        day = value.date() if isinstance(value, datetime) else value
        if day < _FIRST_DAY:
            self._sheet.write_string(self._row, place, text)
        else:
            self._sheet.write_datetime(self._row, place, value, self._formats[kind])


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    with open(sys.stdout.fileno(), "w+b", closefd=False) as workbook:
        write(sys.stdin.buffer, workbook, sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
