"""Workbooks become CSV before they are read: in a process of its own, which gives back what memory that took.

Run as a program: IN OUT [SHEET]. A fault is told on stderr, in JSON.
"""

import asyncio
import csv
import json
import resource
import sys
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from typing import Final

from crm_kit.errors import Text
from crm_kit.tabular.formats import UnreadableTable

_MAX_UNZIPPED: Final = 1024 * 1024 * 1024
_MAX_MEMORY: Final = 2 * 1024 * 1024 * 1024
_SECONDS: Final = 120.0
_FAULT: Final = 3
"""The exit code with which a fault is told."""


async def convert_workbook(workbook: Path, table: Path, sheet: str | None = None) -> None:
    """Writes a sheet, by default the first, as CSV in UTF-8; a row keeps its number. Raises UnreadableTable."""
    arguments = [str(workbook), str(table), *([sheet] if sheet is not None else [])]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, *arguments, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_SECONDS):
            _, told = await child.communicate()
    except BaseException as error:
        if child.returncode is None:
            child.kill()
            await child.wait()
        if isinstance(error, TimeoutError):
            raise _too_large() from error
        raise
    if child.returncode == _FAULT:
        fault = json.loads(told)
        raise UnreadableTable(Text(fault["en"], fault["zh"]), fault["field"])
    if child.returncode != 0:
        raise _too_large() if b"memory" in told.lower() or (child.returncode or 0) < 0 else _damaged()


def convert(workbook: Path, table: Path, sheet: str | None) -> None:
    """Raises UnreadableTable."""
    from python_calamine import CalamineError, CalamineWorkbook, WorksheetNotFound  # in the child alone

    _check(workbook)
    try:
        book = CalamineWorkbook.from_path(workbook)
        found = book.get_sheet_by_index(0) if sheet is None else book.get_sheet_by_name(sheet)
        blank_rows, blank_columns = found.start or (0, 0)
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([] for _ in range(blank_rows))
            for cells in found.iter_rows():
                texts = [""] * blank_columns + [_text(cell) for cell in cells]
                writer.writerow(texts if any(texts) else [])
    except WorksheetNotFound as error:
        raise UnreadableTable(Text("The workbook has no such sheet.", "工作簿中没有该工作表。"), "sheet") from error
    except (CalamineError, OSError, IndexError) as error:
        raise _damaged() from error


def _check(workbook: Path) -> None:
    try:
        sizes = {member.filename: member.file_size for member in zipfile.ZipFile(workbook).infolist()}
    except zipfile.BadZipFile as error:
        raise UnreadableTable(Text("This is no XLSX file.", "不是有效的 XLSX 文件。")) from error
    if "xl/workbook.xml" not in sizes:
        raise UnreadableTable(Text("This ZIP file holds no workbook.", "该 ZIP 文件不含工作簿。"))
    if sum(sizes.values()) > _MAX_UNZIPPED:
        raise _too_large()


def _damaged() -> UnreadableTable:
    return UnreadableTable(Text("The workbook is damaged.", "工作簿已损坏。"))


def _too_large() -> UnreadableTable:
    return UnreadableTable(Text("The workbook is too large: save it as CSV.", "工作簿过大：请另存为 CSV。"))


def _text(cell: object) -> str:
    """As whoever wrote the cell reads it: whole numbers without a fraction, days without a time."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case datetime() | date() | time():
            return cell.isoformat()
        case _:
            return str(cell)


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    workbook, table, *sheet = sys.argv[1:]
    try:
        convert(Path(workbook), Path(table), sheet[0] if sheet else None)
    except UnreadableTable as fault:
        json.dump({"en": fault.text.en, "zh": fault.text.zh, "field": fault.field}, sys.stderr)
        return _FAULT
    return 0


if __name__ == "__main__":
    sys.exit(main())
