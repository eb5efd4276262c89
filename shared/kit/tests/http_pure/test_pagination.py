"""Sorts, cursors and pages, as far as they need no database."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.http.pagination import (
    Cursors,
    InvalidCursor,
    InvalidLimit,
    InvalidSort,
    PageRequest,
    Sort,
    SortValue,
    apply_keyset,
    parse_sort,
)
from crm_kit.keyring import Keyring
from hypothesis import given
from hypothesis import strategies as st

POSTGRESQL = sa.make_url("postgresql+asyncpg://").get_dialect()()
KEY = "a secret of thirty-two bytes 1234"

_books = sa.Table(
    "books",
    sa.MetaData(),
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("title", sa.Text),
    sa.Column("price", sa.Numeric),
    sa.Column("printed", sa.Date),
    sa.Column("pages", sa.Integer),
    sa.Column("sold", sa.Boolean),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
)
_c = _books.c
BOOKS = FieldSet(
    "Book",
    [
        Field("id", FieldType.ID, _c.id, sortable=True, nullable=False),
        Field("title", FieldType.TEXT, _c.title, sortable=True),
        Field("price", FieldType.NUMBER, _c.price, sortable=True),
        Field("printed", FieldType.DATE, _c.printed, sortable=True),
        Field("pages", FieldType.INTEGER, _c.pages, sortable=True),
        Field("sold", FieldType.BOOLEAN, _c.sold, sortable=True),
        Field("created_at", FieldType.DATETIME, _c.created_at, sortable=True, nullable=False),
        Field("isbn", FieldType.TEXT, _c.title),
    ],
)


def _names(sort: Sort) -> list[str]:
    return [str(key) for key in sort]


@pytest.mark.parametrize(
    ("asked", "sort"),
    [
        ("", ["id"]),
        ("title", ["title", "id"]),
        ("-created_at", ["-created_at", "-id"]),
        ("-created_at, title", ["-created_at", "title", "id"]),
        (["title", "-price", "pages"], ["title", "-price", "pages", "id"]),
        ("-id", ["-id"]),
        ("id,title", ["id", "title"]),
    ],
)
def test_the_id_breaks_ties_in_the_direction_of_the_last_key(asked: str | list[str], sort: list[str]) -> None:
    assert _names(parse_sort(asked, BOOKS)) == sort


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        *(
            (asked, "invalid_sort")
            for asked in ("isbn", "author", "title,,price", "a,b,c,d", "--title", "title asc", ",")
        ),
        ("title,-title", "repeated_sort"),
    ],
)
def test_other_sorts_are_refused(asked: str, code: str) -> None:
    with pytest.raises(InvalidSort) as caught:
        parse_sort(asked, BOOKS)
    assert (caught.value.status, caught.value.code) == (422, code)


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_limits_are_bounded(limit: int) -> None:
    with pytest.raises(InvalidLimit):
        PageRequest(parse_sort("id", BOOKS), limit)


def _cursors(key: str = KEY, tenant_id: str = "tenant_1", resource: str = "books", filters: object = None) -> Cursors:
    return Cursors(Keyring(key), tenant_id=tenant_id, resource=resource, filters=filters)


_VALUES: dict[str, st.SearchStrategy[SortValue]] = {
    "title": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300),
    "price": st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**20), max_value=10**20),
    "printed": st.dates(),
    "pages": st.integers(-(2**63), 2**63 - 1),
    "sold": st.booleans(),
    "created_at": st.datetimes(timezones=st.just(UTC)),
}


@given(data=st.data(), name=st.sampled_from(sorted(_VALUES)), descending=st.booleans())
def test_cursors_keep_values_exactly(data: st.DataObject, name: str, descending: bool) -> None:
    sort = parse_sort(f"-{name}" if descending else name, BOOKS)
    value = data.draw(st.none() | _VALUES[name])

    cursor = _cursors().write(sort, [value, "book_1"])

    read = _cursors().read(sort, cursor)
    assert read == (value, "book_1")
    assert [type(item) for item in read] == [type(value), str]
    assert str(read[0]) == str(value)
    assert cursor.isascii()
    assert all(character.isalnum() or character in "-_" for character in cursor)


def test_a_cursor_belongs_to_its_list() -> None:
    sort = parse_sort("title", BOOKS)
    cursor = _cursors(filters={"tag": "vip"}).write(sort, ["a", "book_1"])

    assert _cursors(filters={"tag": "vip"}).read(sort, cursor) == ("a", "book_1")
    others = [
        (_cursors(filters={"tag": "b2b"}), sort),
        (_cursors(filters={"tag": "vip"}, tenant_id="tenant_2"), sort),
        (_cursors(filters={"tag": "vip"}, resource="films"), sort),
        (_cursors(filters={"tag": "vip"}, key=KEY[::-1]), sort),
        (_cursors(filters={"tag": "vip"}), parse_sort("-title", BOOKS)),
        (_cursors(filters={"tag": "vip"}), parse_sort("title,price", BOOKS)),
    ]
    for cursors, other_sort in others:
        with pytest.raises(InvalidCursor) as caught:
            cursors.read(other_sort, cursor)
        assert (caught.value.status, caught.value.code) == (400, "invalid_cursor")


@given(data=st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    sort = parse_sort("title", BOOKS)
    cursor = _cursors().write(sort, ["王", "book_1"])
    place = data.draw(st.integers(0, len(cursor) - 2))  # the last character may hold unused bits
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != cursor[place]))

    with pytest.raises(InvalidCursor):
        _cursors().read(sort, cursor[:place] + other + cursor[place + 1 :])


@given(cursor=st.text(max_size=60))
def test_no_text_passes_for_a_cursor(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        _cursors().read(parse_sort("title", BOOKS), cursor)


def test_endless_cursors_are_refused_unread() -> None:
    with pytest.raises(InvalidCursor):
        _cursors().read(parse_sort("title", BOOKS), "A" * 20_000)


def test_weak_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        _cursors(key="short")


def _sql(asked: str, after: list[SortValue] | None) -> str:
    statement = apply_keyset(sa.select(_c.id), parse_sort(asked, BOOKS), after)
    return " ".join(str(statement.compile(dialect=POSTGRESQL)).split()).partition("FROM books ")[2]


def test_one_direction_without_nulls_is_one_row_comparison() -> None:
    sql = _sql("-created_at", [datetime(2026, 3, 1, tzinfo=UTC), "book_1"])

    assert sql.startswith("WHERE (books.created_at, books.id) < (")
    assert sql.endswith("ORDER BY books.created_at DESC, books.id DESC")


def test_nulls_come_last_in_both_directions() -> None:
    assert _sql("price", None) == "ORDER BY books.price ASC NULLS LAST, books.id ASC"
    assert _sql("-price", None) == "ORDER BY books.price DESC NULLS LAST, books.id DESC"


def test_after_a_null_come_only_nulls() -> None:
    assert "WHERE books.printed IS NULL AND books.id > " in _sql("printed", [None, "book_1"])
    assert "books.printed < CAST($1::VARCHAR AS DATE) OR books.printed IS NULL" in _sql(
        "-printed", [date(2026, 3, 1), "b"]
    )
    assert "books.price = $2::NUMERIC AND books.id > " in _sql("price", [Decimal("1.50"), "book_1"])
