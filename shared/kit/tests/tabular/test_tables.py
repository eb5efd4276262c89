"""What is written into a table is what is read out of it, however it is spelled."""

import csv
import io
from datetime import date

import pytest
from crm_kit.tabular import Layout, TableReader, UnreadableTable, cells, guess_layout
from crm_kit.tabular.formulas import defused, restored
from crm_kit.tabular.writing import csv_lines
from hypothesis import given
from hypothesis import strategies as st

_CELL = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20).map(str.strip)
_TABLE = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(_CELL, min_size=width, max_size=width), min_size=1, max_size=8)
)
_CHINESE = st.text("王李张刘陈杨黄赵吴周徐孙客户姓名公司电话北京上海", min_size=2, max_size=6)


@given(table=_TABLE, delimiter=st.sampled_from([",", ";", "\t", "|"]))
def test_a_table_is_read_as_it_was_written(table: list[list[str]], delimiter: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([["h"] * len(table[0]), *table])
    read = list(TableReader(io.BytesIO(text.getvalue().encode()), Layout("csv", delimiter=delimiter)))
    expected = [(number, [restored(cell) for cell in row]) for number, row in enumerate(table, 2) if any(row)]
    assert [(row.number, list(row.cells)) for row in read] == expected


@given(
    rows=st.lists(st.tuples(_CHINESE, _CHINESE), min_size=5, max_size=30), delimiter=st.sampled_from([",", ";", "\t"])
)
def test_a_chinese_spreadsheet_is_known_by_its_bytes(rows: list[tuple[str, str]], delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in [("姓名", "公司"), *rows])
    layout = guess_layout(io.BytesIO(text.encode("gb18030")))
    assert layout == Layout("csv", "gb18030", delimiter)
    assert guess_layout(io.BytesIO(text.encode())) == Layout("csv", "utf-8", delimiter)
    assert guess_layout(io.BytesIO(text.encode("utf-16"))) == Layout("csv", "utf-16", delimiter)


@given(table=_TABLE)
def test_what_a_spreadsheet_would_run_is_text_to_it_and_comes_back(table: list[list[str]]) -> None:
    written = csv_lines([["h"] * len(table[0]), *table])
    for row in csv.reader(io.StringIO(written.decode(), newline="")):
        assert not any(cell.startswith(("=", "@")) for cell in row)
    read = [list(row.cells) for row in TableReader(io.BytesIO(written), Layout("csv"))]
    assert read == [[restored(defused(cell)) for cell in row] for row in table if any(map(defused, row))]


@given(cell=_CELL)
def test_a_defused_cell_is_restored(cell: str) -> None:
    assert restored(defused(cell)) == cell


@given(day=st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_a_day_is_read_however_it_is_written(day: date) -> None:
    year, month, number = day.year, day.month, day.day
    for text in (
        day.isoformat(),
        f"{year}/{month}/{number}",
        f"{year}年{month}月{number}日",
        f"{number}.{month}.{year}",
    ):
        assert cells.day(text) == day
    assert cells.day(f"{number}/{month}/{year}", day_first=True) == day
    assert cells.day(f"{month}/{number}/{year}", day_first=False) == day
    if month != number and max(month, number) <= 12:
        with pytest.raises(cells.Ambiguous):
            cells.day(f"{month}/{number}/{year}")
    else:
        assert cells.day(f"{month}/{number}/{year}") == day


@pytest.mark.parametrize(
    ("text", "said"), [("1,999.50", 1999.5), ("￥1999", 1999), ("-3", -3), ("1999", 1999), ("0.5", 0.5)]
)
def test_a_number_is_read(text: str, said: float) -> None:
    assert cells.number(text) == said


def test_rows_are_numbered_as_a_spreadsheet_does_and_read_on_from_any() -> None:
    content = b'name,note\nA,"two\nlines"\n\n,\nB,\n'
    reader = TableReader(io.BytesIO(content), guess_layout(io.BytesIO(content)))
    assert [(row.number, row.cells[0]) for row in reader] == [(2, "A"), (5, "B")]
    again = TableReader(io.BytesIO(content), Layout("csv")).skip_to(2)
    assert [row.number for row in again.take(10)] == [5]


def test_what_cannot_be_read_is_told() -> None:
    long = TableReader(io.BytesIO(b"a,b\n" + b"x" * 200_000 + b",1\n2,3\n"), Layout("csv"))
    assert [(row.number, row.fault is None) for row in long] == [(2, False), (3, True)]
    lines = TableReader(io.BytesIO(b'{"a": 1}\n{"a": NaN}\nx\n[]\n{"a":1,"a":2}\n'), Layout("ndjson"))
    assert [row.fault is None for row in lines] == [True, False, False, False, False]
    for content in (b"", b"  \n"):
        with pytest.raises(UnreadableTable):
            guess_layout(io.BytesIO(content))
    with pytest.raises(UnreadableTable) as raised:
        guess_layout(io.BytesIO(b"a,b\n1,2\n"), encoding="base64")
    assert raised.value.field == "encoding"


@given(cell=st.text("'=+-@a1 ", max_size=8))
def test_what_looks_defused_comes_back_too(cell: str) -> None:
    assert restored(defused(cell)) == cell


@given(parts=st.lists(st.text("a ,;|、[]\"\\'王", min_size=1, max_size=6).filter(lambda part: part == part.strip())))
def test_a_list_is_read_as_it_was_joined(parts: list[str]) -> None:
    assert cells.several(cells.joined(parts)) == parts
