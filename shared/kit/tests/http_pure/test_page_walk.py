"""Walking all pages of a list on real PostgreSQL, while rows come and go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any

import pytest
import sqlalchemy as sa
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.session import make_engine
from crm_kit.http.pagination import Cursors, InvalidCursor, PageRequest, fetch_page, parse_sort, walks
from crm_kit.http.searching import Search, fetch_found
from crm_kit.keyring import Keyring
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Parcel(Base):
    __tablename__ = "parcels"

    id: Mapped[str] = mapped_column(sa.Text(collation="C"), primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.Text)
    label: Mapped[str] = mapped_column(sa.Text)
    weight: Mapped[Decimal | None] = mapped_column(sa.Numeric)
    pieces: Mapped[int | None] = mapped_column(sa.Integer)
    fragile: Mapped[bool | None] = mapped_column(sa.Boolean)
    sent_on: Mapped[date | None] = mapped_column(sa.Date)
    seen_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


FIELDS = FieldSet(
    "Parcel",
    [
        Field("id", FieldType.ID, Parcel.id, sortable=True, nullable=False),
        Field("name", FieldType.TEXT, Parcel.name, sortable=True),
        Field("label", FieldType.TEXT, Parcel.label, sortable=True, nullable=False),
        Field("weight", FieldType.NUMBER, Parcel.weight, sortable=True),
        Field("pieces", FieldType.INTEGER, Parcel.pieces, sortable=True),
        Field("fragile", FieldType.BOOLEAN, Parcel.fragile, sortable=True),
        Field("sent_on", FieldType.DATE, Parcel.sent_on, sortable=True),
        Field("seen_at", FieldType.DATETIME, Parcel.seen_at, sortable=True),
        Field("created_at", FieldType.DATETIME, Parcel.created_at, sortable=True, nullable=False),
    ],
)
CURSORS = Cursors(Keyring("a secret of thirty-two bytes 1234"), tenant_id="tenant_1", resource="parcels")
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
async def connection(postgres_server: EmbeddedPostgres) -> AsyncIterator[AsyncConnection]:
    """A connection with an empty table of parcels, gone at the end."""
    engine = make_engine(postgres_server.superuser_url())
    try:
        async with engine.connect() as connection:
            await connection.begin()
            await connection.run_sync(Base.metadata.create_all)
            yield connection
            await connection.rollback()
    finally:
        await engine.dispose()


@asynccontextmanager
async def _session(connection: AsyncConnection) -> AsyncIterator[AsyncSession]:
    """A session whose doings are undone at the end."""
    async with connection.begin_nested() as savepoint:
        async with AsyncSession(connection, autoflush=False) as session:
            yield session
        await savepoint.rollback()


texts = st.sampled_from(["", "a", "A", "b", "王", "\uffff", "😀", "é", "%"])
moments = st.integers(0, 3).map(lambda n: START + timedelta(microseconds=n))
# Few values each, so that ties and nulls are everywhere.
parcels = st.fixed_dictionaries(
    {
        "name": st.none() | texts,
        "label": texts,
        "weight": st.none() | st.sampled_from([Decimal(text) for text in ("1.5", "1.50", "0", "-2", "1e10", "0.001")]),
        "pieces": st.none() | st.integers(-1, 1),
        "fragile": st.none() | st.booleans(),
        "sent_on": st.none() | st.dates(date(2026, 1, 1), date(2026, 1, 3)),
        "seen_at": st.none() | moments,
        "created_at": moments,
    }
)
keys = st.lists(st.sampled_from([field.name for field in FIELDS]), max_size=3, unique=True)
sorts = keys.flatmap(lambda names: st.tuples(*[st.sampled_from([name, f"-{name}"]) for name in names]).map(list))


async def _walk(session: AsyncSession, sort: list[str], limit: int) -> AsyncIterator[list[Parcel]]:
    """The pages one after another; whoever iterates may change the table between them."""
    cursor = None
    for _ in range(100):
        request = PageRequest(parse_sort(sort, FIELDS), limit, cursor)
        page = await fetch_page(session, sa.select(Parcel), request, CURSORS)
        assert len(page.rows) <= limit
        yield list(page.rows)
        cursor = page.next_cursor
        if cursor is None:
            return
    pytest.fail("the walk does not end")


def _in_order(rows: list[dict[str, Any]], sort: list[str]) -> list[str]:
    """The ids in the order that the contract promises, by Python's own stable sort, from the last key to the first."""
    ordered = list(rows)
    for key in reversed(parse_sort(sort, FIELDS)):
        name = key.field.name
        there = [row for row in ordered if row[name] is not None]
        there.sort(key=itemgetter(name), reverse=key.descending)
        ordered = there + [row for row in ordered if row[name] is None]
    return [row["id"] for row in ordered]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(some=st.lists(parcels, max_size=15), sort=sorts, limit=st.integers(1, 6))
async def test_pages_are_the_sorted_list_in_pieces(
    connection: AsyncConnection, some: list[dict[str, Any]], sort: list[str], limit: int
) -> None:
    rows = [{"id": f"{number:03}", **row} for number, row in enumerate(some)]
    async with _session(connection) as session:
        if rows:
            await session.execute(sa.insert(Parcel), rows)
        pages = [[row.id for row in page] async for page in _walk(session, sort, limit)]

    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert [id_ for page in pages for id_ in page] == _in_order(rows, sort)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    some=st.lists(parcels, max_size=15),
    sort=sorts,
    limit=st.integers(1, 6),
    bounds=st.tuples(st.integers(1, 20), st.integers(0, 5), st.integers(1, 20)),
)
async def test_pages_of_a_search_are_what_it_finds_in_pieces(
    connection: AsyncConnection, some: list[dict[str, Any]], sort: list[str], limit: int, bounds: tuple[int, int, int]
) -> None:
    """Whether they are found while walking the list, or all at once."""
    rows = [{"id": f"{number:03}", **row} for number, row in enumerate(some)]
    walked, often, glimpsed = bounds
    search = Search(
        Parcel.label == "王", by_grams=Parcel.label.like("王"), walked=walked, often=often, glimpsed=glimpsed
    )
    pages, cursor = [], None
    async with _session(connection) as session:
        if rows:
            await session.execute(sa.insert(Parcel), rows)
        while not pages or cursor is not None:
            request = PageRequest(parse_sort(sort, FIELDS), limit, cursor)
            page = await fetch_found(session, sa.select(Parcel), request, CURSORS, search)
            pages.append([row.id for row in page.rows])
            cursor = page.next_cursor

    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert [id_ for page in pages for id_ in page] == _in_order([row for row in rows if row["label"] == "王"], sort)


async def test_what_has_no_value_stands_behind_what_the_walk_did_not_reach(connection: AsyncConnection) -> None:
    """Rows without a value are walked only where all before them were."""
    made = {"created_at": START}
    rows = [{**made, "id": f"a{n}", "weight": n, "label": "王" if n == 5 else "李"} for n in range(6)]
    rows += [{**made, "id": f"b{n}", "weight": None, "label": "王"} for n in range(4)]
    search = Search(Parcel.label == "王", by_grams=Parcel.label.like("王"), walked=3, glimpsed=3)
    async with _session(connection) as session:
        await session.execute(sa.insert(Parcel), rows)
        request = PageRequest(parse_sort(["weight"], FIELDS), 2)
        page = await fetch_found(session, sa.select(Parcel), request, CURSORS, search)
    assert [row.id for row in page.rows] == ["a5", "b0"]


changes = st.lists(st.tuples(st.lists(parcels, max_size=3), st.lists(st.integers(0, 30), max_size=3)), max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(some=st.lists(parcels, min_size=1, max_size=15), sort=sorts, limit=st.integers(1, 4), changes=changes)
async def test_rows_that_stay_appear_exactly_once_while_others_come_and_go(
    connection: AsyncConnection,
    some: list[dict[str, Any]],
    sort: list[str],
    limit: int,
    changes: list[tuple[list[dict[str, Any]], list[int]]],
) -> None:
    rows = [{"id": f"{number * 7 % 101:03}", **row} for number, row in enumerate(some)]
    there = {row["id"] for row in rows}
    stayed, pending = set(there), list(changes)
    seen: list[str] = []
    async with _session(connection) as session:
        await session.execute(sa.insert(Parcel), rows)
        async for page in _walk(session, sort, limit):
            seen.extend(row.id for row in page)
            new, gone = pending.pop() if pending else ([], [])
            doomed = {sorted(there)[index] for index in gone if index < len(there)}
            if page and len(gone) == 2:  # the very row whose values the cursor holds
                doomed.add(page[-1].id)
            await session.execute(sa.delete(Parcel).where(Parcel.id.in_(doomed)))
            arrived = [{"id": f"{len(pending):03}.{number}", **row} for number, row in enumerate(new)]
            if arrived:
                await session.execute(sa.insert(Parcel), arrived)
            there = (there - doomed) | {row["id"] for row in arrived}
            stayed -= doomed

    assert len(seen) == len(set(seen)), "a row appeared twice"
    assert stayed <= set(seen), "a row that was there throughout is missing"


async def test_a_page_of_one_column_and_with_a_filter(connection: AsyncConnection) -> None:
    rows = [
        {"id": str(n), "label": "even" if n % 2 == 0 else "odd", "created_at": START + timedelta(seconds=n)}
        for n in range(10)
    ]
    sort = parse_sort("-created_at", FIELDS)
    statement = sa.select(Parcel.id).where(Parcel.label == "even")
    async with connection.begin_nested() as savepoint:
        await connection.execute(sa.insert(Parcel), rows)
        first = await fetch_page(connection, statement, PageRequest(sort, 3), CURSORS)
        second = await fetch_page(connection, statement, PageRequest(sort, 3, first.next_cursor), CURSORS)
        await savepoint.rollback()

    assert (first.rows, second.rows) == (["8", "6", "4"], ["2", "0"])
    assert second.next_cursor is None


async def test_a_foreign_cursor_reads_nothing(connection: AsyncConnection) -> None:
    request = PageRequest(parse_sort("name", FIELDS), cursor="bm90IG91cnM")

    with pytest.raises(InvalidCursor):
        await fetch_page(connection, sa.select(Parcel), request, CURSORS)


async def test_a_long_list_is_read_by_its_index(connection: AsyncConnection) -> None:
    sort = parse_sort("-created_at", FIELDS)
    async with connection.begin_nested() as savepoint:
        await connection.exec_driver_sql(
            "insert into parcels (id, label, created_at)"
            " select n::text, '', timestamptz '2026-03-01Z' + n * interval '1 s' from generate_series(1, 5000) n"
        )
        await connection.exec_driver_sql("create index by_creation on parcels (created_at, id)")
        await connection.exec_driver_sql("analyze parcels")
        plans = []

        class Explaining:
            async def execute(self, statement: sa.Executable, /) -> sa.Result[Any]:
                assert isinstance(statement, sa.Select)
                compiled = statement.compile(dialect=connection.dialect)
                values = tuple(compiled.params[name] for name in compiled.positiontup or ())
                plan = await connection.exec_driver_sql(f"explain {compiled}", values)
                plans.append("\n".join(line for (line,) in plan))
                return await connection.execute(statement)

        first = await fetch_page(connection, sa.select(Parcel.id), PageRequest(sort), CURSORS)
        request = PageRequest(sort, cursor=first.next_cursor)
        second = await fetch_page(Explaining(), sa.select(Parcel.id), request, CURSORS)
        await savepoint.rollback()

    assert second.rows[0] == "4950"
    assert "Index Only Scan Backward using by_creation" in plans[0]
    assert "Index Cond: (ROW(created_at, id) < ROW(" in plans[0]
    assert "Sort" not in plans[0]


@pytest.mark.parametrize(("sort", "direction"), [("name", ""), ("-name", " Backward")])
async def test_a_list_by_what_may_be_missing_is_read_by_its_index(
    connection: AsyncConnection, sort: str, direction: str
) -> None:
    keys = parse_sort(sort, FIELDS)
    async with connection.begin_nested() as savepoint:
        await connection.exec_driver_sql(
            "insert into parcels (id, label, name, created_at) select to_char(n, '0000'), '',"
            " case when n % 2 = 0 then to_char(n, '0000') end, now() from generate_series(1, 5000) n"
        )
        await connection.exec_driver_sql('create index by_name on parcels (name collate "C", id)')
        await connection.exec_driver_sql("analyze parcels")
        seen, cursor, plans = [], None, []
        while not seen or cursor is not None:
            after = None if cursor is None else CURSORS.read(keys, cursor)
            for walk in walks(sa.select(Parcel.id), keys, after):
                compiled = walk.limit(50).compile(dialect=connection.dialect)
                values = tuple(compiled.params[name] for name in compiled.positiontup or ())
                plan = await connection.exec_driver_sql(f"explain {compiled}", values)
                plans.append("\n".join(line for (line,) in plan))
            page = await fetch_page(connection, sa.select(Parcel.id), PageRequest(keys, 200, cursor), CURSORS)
            seen += page.rows
            cursor = page.next_cursor
        await savepoint.rollback()

    assert len(seen) == len(set(seen)) == 5000
    for plan in plans[:28]:  # two while there are names, and the first behind them; the last few are found by any index
        assert f"Scan{direction} using by_name" in plan
        assert "Sort" not in plan
        assert "Filter" not in plan
