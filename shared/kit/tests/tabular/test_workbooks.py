"""A workbook holds what its rows say, over as many sheets as it takes."""

import io
import tempfile
from datetime import date, datetime

import pytest
from crm_kit.tabular.workbook_writing import Cell, WorkbookFailed, workbook_line, write, write_workbook
from python_calamine import CalamineWorkbook


def read(*rows: list[Cell], sheet_rows: int = 100) -> CalamineWorkbook:
    file = io.BytesIO()
    write(map(workbook_line, rows), file, "people", sheet_rows=sheet_rows)
    file.seek(0)
    return CalamineWorkbook.from_filelike(file)


def test_cells_are_of_their_types_and_text_is_never_run() -> None:
    given: list[Cell] = [
        "=1+1", "0042", 5, 2.5, True, {"date": "1990-01-02"}, {"time": "2026-10-01T08:00:00.5Z"}, 10**15 + 1,
        {"date": "1850-01-02"}, "𠮷\n;", "'=x",
    ]  # fmt: skip
    [_, row] = read([str(n) for n in range(len(given))], given).get_sheet_by_index(0).to_python()
    assert row == [
        "=1+1", "0042", 5.0, 2.5, True, date(1990, 1, 2), datetime.fromisoformat("2026-10-01T08:00:00.5"), "1000000000000001",
        "1850-01-02", "𠮷\n;", "''=x",
    ]  # fmt: skip


def test_what_one_sheet_does_not_hold_goes_onto_further_ones() -> None:
    book = read(["n"], *([n] for n in range(7)), sheet_rows=4)
    assert book.sheet_names == ["people", "people 2", "people 3"]
    sheets = [book.get_sheet_by_index(place).to_python() for place in range(3)]
    assert sheets == [[["n"], [0.0], [1.0], [2.0]], [["n"], [3.0], [4.0], [5.0]], [["n"], [6.0]]]


def test_without_rows_there_is_a_header() -> None:
    assert read(["a", "b"]).get_sheet_by_index(0).to_python() == [["a", "b"]]


async def test_it_is_written_by_a_process_of_its_own_which_may_not_take_too_long() -> None:
    with tempfile.TemporaryFile() as rows, tempfile.TemporaryFile() as workbook:
        for n in range(100):
            rows.write(workbook_line([n, "x"]))
        await write_workbook(rows, workbook, "people", seconds=60)
        workbook.seek(0)
        assert len(CalamineWorkbook.from_filelike(workbook).get_sheet_by_index(0).to_python()) == 100
        with pytest.raises(WorkbookFailed):
            await write_workbook(rows, workbook, "people", seconds=0.01)
        rows.write(b"no json\n")
        with pytest.raises(WorkbookFailed, match="JSON"):
            await write_workbook(rows, workbook, "people", seconds=60)
