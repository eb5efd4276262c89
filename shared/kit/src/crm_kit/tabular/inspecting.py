"""Taking in a file of a table: what it is, what columns it has, how many rows."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from crm_kit.errors import Text
from crm_kit.tabular.formats import Format, Layout, UnreadableTable, guess_layout
from crm_kit.tabular.reading import TableReader
from crm_kit.tabular.workbook import convert_workbook

_SAMPLES: Final = 3
_LONGEST_SAMPLE: Final = 100


@dataclass(frozen=True, slots=True)
class InspectedTable:
    """`file`: of a workbook it is the CSV that it was converted to; `layout` says how that is written, `format` what came in.

    `columns`: name and some values of each.
    """

    file: BinaryIO
    format: Format
    layout: Layout
    columns: Sequence[dict[str, Any]]
    rows: int


@asynccontextmanager
async def inspected(
    file: BinaryIO,
    *,
    format_: Format | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> AsyncIterator[InspectedTable]:
    """What is not given is told by the file. Raises UnreadableTable."""
    layout = await asyncio.to_thread(
        lambda: guess_layout(file, format_=format_, encoding=encoding, delimiter=delimiter, sheet=sheet)
    )
    with ExitStack() as stack:
        came: Format = layout.format
        if came == "xlsx":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            await asyncio.to_thread(_save, file, folder / "workbook")
            await convert_workbook(folder / "workbook", folder / "table", layout.sheet)
            file = stack.enter_context((folder / "table").open("rb"))
            layout = Layout("csv")
        yield replace(await asyncio.to_thread(_inspect, file, layout), format=came)


def _save(file: BinaryIO, path: Path) -> None:
    file.seek(0)
    with path.open("wb") as saved:
        shutil.copyfileobj(file, saved)


def _inspect(file: BinaryIO, layout: Layout) -> InspectedTable:
    reader = TableReader(file, layout)
    try:
        first = list(islice(reader, _SAMPLES))
        rows = len(first) + sum(1 for _ in reader)
    finally:
        reader.close()
    if not rows:
        raise UnreadableTable(Text("The table has no row below its header.", "表格除表头外没有数据行。"))
    columns = [
        {"name": name, "samples": [row.cells[place][:_LONGEST_SAMPLE] for row in first if place < len(row.cells)]}
        for place, name in enumerate(reader.columns)
    ]
    return InspectedTable(file, layout.format, layout, columns, rows)
