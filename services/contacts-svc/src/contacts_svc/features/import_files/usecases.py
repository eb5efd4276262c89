"""The table of an import's file, and that table with what became of each row."""

import asyncio
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import orjson
from crm_kit.db.session import Database, ReadSession
from crm_kit.tabular import Layout, Row, TableReader
from crm_kit.tabular.writing import BYTE_ORDER_MARK, csv_lines

from contacts_svc.features.import_rows import repository as rows
from contacts_svc.features.imports.models import ImportRow
from contacts_svc.features.imports.repository import WhichRows, results

_OPEN_TABLES: Final = 4
_PAGE: Final = 500
_ADDED: Final = ("relata:row", "relata:outcome", "relata:id", "relata:problem")
"""The columns that a download has besides the file's own: no guess takes them for anything."""


def layout_of(row: ImportRow) -> Layout:
    """Of the file as it is kept."""
    if row.format == "ndjson":
        return Layout("ndjson", row.encoding)
    return Layout("csv", row.encoding, row.delimiter or ",")


@dataclass
class OpenTable:
    """`position`: the row that was read last."""

    file: BinaryIO
    reader: TableReader
    position: int

    @classmethod
    async def at(cls, session: ReadSession, row: ImportRow, position: int) -> "OpenTable":
        """The kept table, behind the row of this number."""
        file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the table
        await rows.copy_file(session, row.id, file)
        reader = await asyncio.to_thread(lambda: TableReader(file, layout_of(row)).skip_to(position))
        return cls(file, reader, position)

    def take(self, count: int) -> list[Row]:
        """The next rows; fewer at the end."""
        page = self.reader.take(count)
        self.position = page[-1].number if page else self.position
        return page

    def close(self) -> None:
        self.reader.close()
        self.file.close()


class OpenTables:
    """Of this process: a table is read on from page to page; after a crash another process opens it again."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, OpenTable] = OrderedDict()

    async def of(self, session: ReadSession, row: ImportRow) -> OpenTable:
        """The table of an import, before the first row that was not taken in yet."""
        table = self._open.pop(row.id, None)
        if table is not None and table.position != row.position:
            table.close()
            table = None
        if table is None:
            table = await OpenTable.at(session, row, row.position)
        self._open[row.id] = table
        while len(self._open) > _OPEN_TABLES:
            self._open.popitem(last=False)[1].close()
        return table

    def close(self, import_id: str) -> None:
        table = self._open.pop(import_id, None)
        if table is not None:
            table.close()


async def result_lines(database: Database, tenant_id: str, row: ImportRow, which: WhichRows) -> AsyncIterator[bytes]:
    """The file as CSV, with what became of each row; those that are not asked for are left out."""
    yield BYTE_ORDER_MARK
    async with database.read(tenant_id) as session:
        table = await OpenTable.at(session, row, 0)
    try:
        yield csv_lines([[*table.reader.columns, *_ADDED] if table.reader.columns else ["row", *_ADDED]])
        after = (0, 0)
        while True:
            async with database.read(tenant_id) as session:
                page = await results(session, row.id, which, after=after, limit=_PAGE)
            if not page:
                return
            lines = [line for result in page if result.place == 0 and (line := _line(table, result)) is not None]
            yield csv_lines(lines)
            after = (page[-1].row, page[-1].place)
            await asyncio.sleep(0)
    finally:
        table.close()


def _line(table: OpenTable, result: Any) -> Sequence[str] | None:
    found = next((row for row in table.reader if row.number >= result.row), None)
    if found is None or found.number != result.row:
        return None
    columns = table.reader.columns
    cells = [orjson.dumps(found.cells[0]).decode() if found.cells else ""] if not columns else list(found.cells)
    cells += [""] * (len(columns) - len(cells))
    return [*cells, str(result.row), result.outcome, result.entity_id or "", _told(result.problem)]


def _told(problem: dict[str, Any] | None) -> str:
    if problem is None:
        return ""
    errors = [
        f"{error.get('column') or error.get('pointer')}: {error['detail']}" for error in problem.get("errors", ())
    ]
    candidates = [
        f"{one['id']} ({one['score']:.0%})" if isinstance(one, dict) else str(one)
        for one in problem.get("candidates", ())
    ]
    return "; ".join(errors or [str(problem.get("detail") or problem.get("title") or problem["code"]), *candidates])
