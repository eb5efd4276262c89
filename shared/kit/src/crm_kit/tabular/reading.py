"""Reading tables: one row after the other, in bounded memory, from any row on."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO, Final, NamedTuple, Self

from crm_kit.errors import Text
from crm_kit.http.json_body import MalformedJson, UnacceptableJson, parse_json
from crm_kit.tabular.formats import Layout, UnreadableTable
from crm_kit.tabular.formulas import restored

MAX_COLUMNS: Final = 500
MAX_CELL: Final = 100_000
"""Characters."""

_MAX_LINE: Final = 1024 * 1024

csv.field_size_limit(MAX_CELL)


class Row(NamedTuple):
    """`number`: as a spreadsheet or an editor numbers it, its header being 1. `cells`: by column; of NDJSON the object.

    `fault`: why it cannot be read; it then has no cells.
    """

    number: int
    cells: Sequence[Any]
    fault: Text | None = None


class TableReader:
    """A table in a file. Blank rows are passed over. A workbook must have been converted (`workbook.py`).

    Raises UnreadableTable, also while rows are read.
    """

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._layout = layout
        file.seek(0)
        encoding = "utf-8-sig" if layout.encoding == "utf-8" else layout.encoding
        self._text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        self._rows = self._ndjson() if layout.format == "ndjson" else self._csv()
        self.columns: list[str] = []
        if layout.format != "ndjson":
            header = next(self._rows, None)
            if header is None:
                raise UnreadableTable(Text("The table has no row.", "表格没有任何行。"))
            self.columns = unique_names(header.cells)

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        return next(self._rows)

    def skip_to(self, number: int) -> Self:
        """Passes over the rows up to this one, which was the last that was read."""
        while number and (row := next(self._rows, None)) is not None:
            if row.number >= number:
                break
        return self

    def take(self, count: int) -> list[Row]:
        """The next rows; fewer at the end."""
        return list(islice(self._rows, count))

    def close(self) -> None:
        """Lets go of the file, which stays open."""
        self._text.detach()

    def _csv(self) -> Iterator[Row]:
        reader = csv.reader(self._text, delimiter=self._layout.delimiter)
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(number, [], Text(f"The row cannot be read: {error}", f"无法读取该行：{error}"))
                continue
            if any(cell.strip() for cell in cells):
                yield _bounded(number, cells)

    def _ndjson(self) -> Iterator[Row]:
        number = 0
        while line := self._text.readline(_MAX_LINE):
            number += 1
            if len(line) >= _MAX_LINE and not line.endswith("\n"):
                raise UnreadableTable(Text(f"Line {number} is too long.", f"第 {number} 行过长。"))
            if line.strip():
                yield _object(number, line)


def _bounded(number: int, cells: Sequence[str]) -> Row:
    if len(cells) > MAX_COLUMNS and any(cells[MAX_COLUMNS:]):
        return Row(number, [], Text(f"More than {MAX_COLUMNS} columns", f"超过 {MAX_COLUMNS} 列"))
    return Row(number, [restored(_without_nul(cell).strip()) for cell in cells[:MAX_COLUMNS]])


def _without_nul(cell: str) -> str:
    """No database holds it; what stands for it is told from what was written."""
    return cell.replace("\0", "\ufffd")


def _object(number: int, line: str) -> Row:
    if "\ufffd" in line:
        return Row(number, [], Text("Characters that are not of the file's encoding", "包含不属于文件编码的字符"))
    try:
        found = parse_json(line.encode())
    except MalformedJson as error:
        return Row(number, [], Text(f"This is no JSON: {error}", f"不是有效的 JSON：{error}"))
    except UnacceptableJson as error:
        return Row(number, [], Text(str(error), f"JSON 不可接受：{error}"))
    if not isinstance(found, dict):
        return Row(number, [], Text("Each line must be an object", "每行必须是一个对象"))
    return Row(number, [found])


def unique_names(header: Sequence[str]) -> list[str]:
    """A name for every column: one without is numbered, and one that comes again too."""
    names: list[str] = []
    for place, given in enumerate(header, 1):
        name = given.replace("\ufeff", "").strip() or f"column {place}"
        candidate, again = name, 2
        while candidate in names:
            candidate, again = f"{name} ({again})", again + 1
        names.append(candidate)
    return names
