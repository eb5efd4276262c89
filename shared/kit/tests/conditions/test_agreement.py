"""SQL and Python select the same rows, for any rows and any condition."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from crm_kit.conditions import FieldSet, FieldType, Op, compile_condition, evaluate, json_column, parse
from crm_kit.conditions.fields import Field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
STATES = ("new", "open", "done")

# Few values, so that rows and conditions meet; among them what collations, LIKE and UTF-16 trip over.
_TEXTS = ["", "a", "A", "ab", "b", "Ab%", "%", "a_b", "axb", "\\", "\\%", "王小明", "王", "小明", "ß", "ss", "é"]
_TEXTS += ["e\u0301", "\uffff", "\U0001f600", "👩‍👩‍👧", " a", "a ", "'; drop", "a\nb", "null", "İ", "10", "9", "\u00ad"]
texts = st.sampled_from(_TEXTS) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)
numbers = st.sampled_from([Decimal(text) for text in ("0", "-0.0", "1", "1.0", "1.10", "1.1", "-3", "1e20", "0.1")])
numbers |= st.decimals(-5, 5, places=2)
integers = st.integers(-2, 3) | st.sampled_from([-(2**31), 2**31 - 1])
dates = st.dates(date(2026, 2, 20), date(2026, 3, 3)) | st.dates(date(1900, 1, 1), date(2100, 1, 1))
dates |= st.sampled_from([date(2024, 2, 29), date(2028, 2, 29), date(1990, 2, 28), date(1990, 3, 1)])
offsets = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30))])
edges = st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=7)])
ticks = st.integers(-1, 1).map(lambda n: timedelta(microseconds=n))
datetimes = st.builds(lambda edge, tick, offset: (NOW - edge + tick).astimezone(offset), edges, ticks, offsets)


def _or_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


rows = st.fixed_dictionaries(
    {
        "name": _or_null(texts),
        "label": texts,
        "state": _or_null(st.sampled_from(STATES)),
        "price": _or_null(numbers),
        "count": _or_null(integers),
        "ok": _or_null(st.booleans()),
        "day": _or_null(dates),
        "at": _or_null(datetimes),
        "due": datetimes,
        "tags": _or_null(st.lists(_or_null(texts), max_size=3)),
        "mails": _or_null(st.lists(texts, max_size=3)),
        "codes": _or_null(st.lists(texts, max_size=3)),
        "states": st.lists(st.sampled_from(STATES), max_size=2),
    }
)

VALUES: Mapping[FieldType, st.SearchStrategy[Any]] = {
    FieldType.TEXT: texts,
    FieldType.ID: texts | st.sampled_from(["0", "1", "2"]),
    FieldType.CHOICE: st.sampled_from(STATES),
    FieldType.NUMBER: numbers.map(lambda n: f"{n:f}") | numbers.map(float) | st.integers(-3, 3),
    FieldType.INTEGER: integers | integers.map(float),
    FieldType.BOOLEAN: st.booleans(),
    FieldType.DATE: dates.map(str),
    FieldType.DATETIME: datetimes.map(datetime.isoformat),
}
DURATIONS = ["1d", "1w", "7d", "52w", "364d", "365d", "366d", "99999d"]
ZONES = [UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("America/Los_Angeles")]


@st.composite
def comparisons(draw: st.DrawFn, fields: list[Field]) -> dict[str, Any]:
    field = draw(st.sampled_from(fields))
    op = draw(st.sampled_from(sorted(field.type.ops)))
    value: Any
    match op:
        case Op.IN | Op.NOT_IN:
            value = draw(st.lists(VALUES[field.type.element], min_size=1, max_size=3))
        case Op.EXISTS:
            value = draw(st.booleans())
        case Op.WITHIN_LAST | Op.WITHIN_NEXT | Op.ANNIVERSARY_WITHIN_NEXT:
            value = draw(st.sampled_from(DURATIONS if field.type is FieldType.DATE else [*DURATIONS, "60m", "24h"]))
        case _:
            value = draw(VALUES[field.type.element])
    return {"field": field.name, "op": op.value, "value": value}


def conditions(fields: list[Field]) -> st.SearchStrategy[dict[str, Any]]:
    def extend(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        several = st.lists(inner, min_size=1, max_size=3)
        return (
            st.builds(lambda parts: {"all": parts}, several)
            | st.builds(lambda parts: {"any": parts}, several)
            | st.builds(lambda part: {"not": part}, inner)
        )

    return st.recursive(comparisons(fields), extend, max_leaves=5)


def _document(row: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    """The row as the API shows it, or with Python's types; a null is left out or shown."""

    def shown(value: Any) -> Any:
        return value if not as_json or isinstance(value, bool | int | str | None) else str(value)

    document: dict[str, Any] = {
        "id": row["id"],
        "name": row["name"],
        "label": row["label"],
        "state": row["state"],
        "money": None if row["price"] is None else {"amount": shown(row["price"]), "currency": "CNY"},
        "how_many": row["count"],
        "ok": row["ok"],
        "day": shown(row["day"]),
        "at": row["at"].isoformat() if as_json and row["at"] else row["at"],
        "due": row["due"].isoformat() if as_json else row["due"],
        "tags": row["tags"],
        "items": None if row["codes"] is None else [{"code": code} for code in row["codes"]],
        "emails": row["mails"],
        "was": row["states"],
    }
    return {name: value for name, value in document.items() if value is not None} if as_json else document


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(),
    some_rows=st.lists(rows, min_size=1, max_size=12),
    as_json=st.booleans(),
    zone=st.sampled_from(ZONES),
)
async def test_sql_and_python_select_the_same_rows(
    connection: AsyncConnection,
    table: sa.Table,
    fields: FieldSet,
    data: st.DataObject,
    some_rows: list[dict[str, Any]],
    as_json: bool,
    zone: tzinfo,
) -> None:
    now = NOW.astimezone(zone)
    testable = [field for field in fields if field.filterable and field.column is not None]
    raw = data.draw(st.lists(conditions(testable), min_size=1, max_size=6))
    parsed = [parse(condition, fields) for condition in raw]
    shown = [{"id": str(number), **row} for number, row in enumerate(some_rows)]
    inserted = [{**row, "mails": [text.casefold() for text in row["mails"] or []]} for row in shown]

    chosen = [
        sa.case((compile_condition(condition, now=now, by_grams=by_grams), True), else_=False)
        for by_grams in (False, True)
        for condition in parsed
    ]
    async with connection.begin_nested() as savepoint:
        await connection.execute(table.insert(), inserted)
        by_sql = {row[0]: list(row[1:]) for row in await connection.execute(sa.select(table.c.id, *chosen))}
        await savepoint.rollback()

    documents = [_document(row, as_json=as_json) for row in shown]
    by_python = {
        document["id"]: [evaluate(condition, document, now=now) for condition in parsed] * 2 for document in documents
    }
    assert by_python == by_sql


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(whole=st.lists(texts, max_size=4).map("".join), others=st.lists(texts, max_size=3))
async def test_grams_find_every_part_of_a_text_and_nothing_else(
    connection: AsyncConnection, whole: str, others: list[str]
) -> None:
    sought = [*others, whole, *(whole[start:][:length] for start in range(len(whole)) for length in (1, 2, 3, 5))]
    label, grams = sa.column("label", sa.Text), sa.column("grams", sa.ARRAY(sa.Integer))
    fields = FieldSet("Thing", [Field("label", FieldType.TEXT, label, nullable=False, grams=grams)])
    parsed = [parse({"field": "label", "op": "contains", "value": value}, fields) for value in sought]
    by_grams = [compile_condition(condition, now=NOW, by_grams=True) for condition in parsed]
    like = [label.contains(value, autoescape=True) for value in sought]
    row = sa.select(
        sa.literal(whole).label("label"), sa.func.text_grams("tenant_things", None, sa.literal(whole)).label("grams")
    ).subquery()
    found = (await connection.execute(sa.select(*by_grams, *like).select_from(row))).one()
    expected = [evaluate(condition, {"label": whole}, now=NOW) for condition in parsed]
    assert list(found) == expected * 2


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), some_rows=st.lists(rows, min_size=1, max_size=12))
async def test_documents_in_rows_are_found_as_they_are_evaluated(
    connection: AsyncConnection, fields: FieldSet, data: st.DataObject, some_rows: list[dict[str, Any]]
) -> None:
    stored = sa.column("document", sa.JSON)
    published = FieldSet.from_published("Thing", fields.published(), partial(json_column, stored))
    raw = data.draw(st.lists(conditions(list(published)), min_size=1, max_size=6))
    parsed = [parse(condition, published) for condition in raw]
    documents = [_document({"id": str(number), **row}, as_json=True) for number, row in enumerate(some_rows)]

    chosen = [sa.case((compile_condition(condition, now=NOW), True), else_=False) for condition in parsed]
    given_rows = sa.values(stored, name="given").data([(document,) for document in documents])
    found = (await connection.execute(sa.select(*chosen).select_from(given_rows))).all()
    assert [list(row) for row in found] == [
        [evaluate(condition, document, now=NOW) for condition in parsed] for document in documents
    ]
