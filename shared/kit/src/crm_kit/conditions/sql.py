"""Conditions as PostgreSQL expressions, for WHERE and FILTER. Every value is a bound parameter.

Two-valued logic in a three-valued language: the expression is TRUE exactly where the condition holds, and
FALSE or NULL elsewhere. AND and OR keep that property; negation does not, so it is pushed down to the
comparisons, where `IS NOT TRUE`, `IS DISTINCT FROM` and `IS NULL` say it in one step and leave the positive
ones plain for the indexes.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, array
from sqlalchemy.orm import InstrumentedAttribute

from crm_kit.conditions.evaluate import EVERY_DAY, window
from crm_kit.conditions.fields import Field, FieldType, Held, Op
from crm_kit.conditions.parse import AllOf, AnyOf, Comparison, Condition, Not, comparisons_in
from crm_kit.db.text_grams import has_grams_of

_SQL_TYPES: Final[dict[FieldType, sa.types.TypeEngine[Any]]] = {
    FieldType.TEXT: sa.Text(),
    FieldType.ID: sa.Text(),
    FieldType.CHOICE: sa.Text(),
    FieldType.NUMBER: sa.Numeric(),
    FieldType.INTEGER: sa.BigInteger(),
    FieldType.BOOLEAN: sa.Boolean(),
    FieldType.DATE: sa.Date(),
    FieldType.DATETIME: sa.DateTime(timezone=True),
}
_NEGATIVE: Final = {Op.NE: Op.EQ, Op.NOT_IN: Op.IN}
_SYNONYMS: Final = {Op.BEFORE: Op.LT, Op.AFTER: Op.GT}


def compile_condition(condition: Condition, *, now: datetime, by_grams: bool = False) -> ColumnElement[bool]:
    """A boolean expression over the fields' columns; TRUE where the condition holds, else FALSE or NULL.

    now: an aware time, which relative operators count from; what day it is, its time zone says. by_grams: such that indexes on
    grams serve it; it means the same. Raises ValueError for a field without a column.
    """
    return _compile(condition, now, holds=True, by_grams=by_grams)


def is_guessed(condition: Condition) -> bool:
    """Whether PostgreSQL has no statistics of what it tests: how many rows it leaves is then assumed, at random."""
    return any(_is_guessed(test.field, test.op) for test in comparisons_in(condition))


def _is_guessed(field: Field, op: Op) -> bool:
    if field.type.is_list:
        return not field.selective or op in (Op.STARTS_WITH, Op.EXISTS)
    return op is Op.CONTAINS or not isinstance(field.column, sa.Column | InstrumentedAttribute)


def json_column(document: ColumnElement[Any], path: str, kind: FieldType) -> ColumnElement[Any]:
    """What stands in JSON documents under a dotted path, as a field's column. A path that meets a list goes on in each
    of its elements; the documents hold what the API shows, so that times and decimals are text.
    """
    steps = path.split(".")
    jsonb = sa.cast(document, JSONB)
    if kind.is_list:
        inner = sa.func.jsonb_path_query_array(jsonb, sa.cast(".".join(["$", *steps]) + "[*]", JSONPATH))
        element = sa.func.jsonb_array_elements_text(inner).column_valued("element")
        return sa.func.array(sa.select(element).scalar_subquery(), type_=sa.ARRAY(sa.Text()))
    found = jsonb[tuple(steps)].astext
    return found if kind.is_textual else sa.cast(found, _SQL_TYPES[kind])


def bound(value: object, kind: FieldType) -> ColumnElement[Any]:
    """A bound parameter of the type that PostgreSQL has for this (single-valued) field type."""
    if (
        kind is FieldType.DATE
    ):  # the driver takes the first and the last day that Python knows for PostgreSQL's infinities
        return sa.cast(sa.literal(str(value), sa.Text()), sa.Date())
    return sa.literal(value, _SQL_TYPES[kind])


def comparable(field: Field) -> ColumnElement[Any]:
    """The field's column, texts in code-point collation. Raises ValueError if it has none."""
    column = _column(field)
    if not field.type.is_textual or getattr(column.type, "collation", None) == "C":
        return column
    return sa.collate(column, "C")


def _column(field: Field) -> ColumnElement[Any]:
    if field.column is None:
        raise ValueError(f"The field {field.name!r} has no column: it exists only in documents.")
    return sa.type_coerce(field.column, field.column.type)


def _compile(condition: Condition, now: datetime, *, holds: bool, by_grams: bool) -> ColumnElement[bool]:
    match condition:
        case AllOf(parts) | AnyOf(parts):
            compiled = [_compile(part, now, holds=holds, by_grams=by_grams) for part in parts]
            return sa.and_(*compiled) if isinstance(condition, AllOf) is holds else sa.or_(*compiled)
        case Not(part):
            return _compile(part, now, holds=not holds, by_grams=by_grams)
        case Comparison(field, op, value):
            if op in _NEGATIVE:
                op, holds = _NEGATIVE[op], not holds
            if op is Op.EXISTS:
                return _exists(field, holds=holds is value)
            positive = _test(field, _SYNONYMS.get(op, op), value, now)
            if not holds:
                return _negated(positive, field, op, value)
            if by_grams and field.grams is not None and op is Op.CONTAINS and value != "":
                return sa.and_(has_grams_of(field.grams, bound(value, field.type)), positive)
            return positive


def _negated(positive: ColumnElement[bool], field: Field, op: Op, value: object) -> ColumnElement[bool]:
    if op is Op.EQ and not field.type.is_list:
        column, parameter = _column(field), bound(value, field.type)
        return column.is_distinct_from(parameter) if field.nullable else column != parameter
    return positive.is_not(sa.true()) if field.nullable else sa.not_(positive)


def _exists(field: Field, *, holds: bool) -> ColumnElement[bool]:
    column = _column(field)
    if field.type.is_list:
        elements = sa.func.cardinality(sa.func.array_remove(column, sa.null()))
        has_any = elements > sa.literal_column("0")
        return has_any if holds else has_any.is_not(sa.true())
    return column.is_not(sa.null()) if holds else column.is_(sa.null())


def _test(field: Field, op: Op, value: Any, now: datetime) -> ColumnElement[bool]:
    """TRUE where a comparison that is neither negative nor `exists` holds."""
    if field.type.is_list:
        return _test_list(field, op, value)
    if field.held is not None and op in (Op.EQ, Op.IN):
        return _held(field.held, value if op is Op.IN else [value], field.type)
    column, kind = _column(field), field.type
    match op:
        case Op.EQ:
            return column == bound(value, kind)
        case Op.IN:
            return column == sa.any_(_array(value, kind))
        case Op.CONTAINS:
            if field.grams is not None:
                # As LIKE, but without its guess of how few rows that leaves, which would not let a list walk its order.
                return sa.func.strpos(comparable(field), bound(value, kind)) > sa.literal_column("0")
            return comparable(field).like(bound(f"%{_escaped(value)}%", kind))
        case Op.STARTS_WITH:
            return comparable(field).like(bound(f"{_escaped(value)}%", kind))
        case Op.WITHIN_LAST | Op.WITHIN_NEXT:
            first, last = window(op, kind, value, now)
            return column.between(bound(first, kind), bound(last, kind))
        case Op.ANNIVERSARY_WITHIN_NEXT:
            return _recurs(column, *window(op, kind, value, now))
        case _:
            return _RANGES[op](comparable(field), bound(value, kind))


_RANGES: Final = {
    Op.LT: ColumnElement.__lt__,
    Op.LTE: ColumnElement.__le__,
    Op.GT: ColumnElement.__gt__,
    Op.GTE: ColumnElement.__ge__,
}


def _recurs(column: ColumnElement[Any], today: date, last: date) -> ColumnElement[bool]:
    """Days that are not later than the last, and have month and day of one of these days."""
    begun = column <= bound(last, FieldType.DATE)
    if last - today >= EVERY_DAY:
        return begun
    days = [today + timedelta(days=number) for number in range((last - today).days + 1)]
    sought = {each.month * 100 + each.day for each in days}
    if any((each.month, each.day) == (2, 28) and not isleap(each.year) for each in days):
        sought.add(229)
    month, day = sa.extract("month", column), sa.extract("day", column)
    number = sa.cast(month * sa.literal_column("100") + day, sa.Integer())
    return sa.and_(begun, number == sa.any_(sa.literal(sorted(sought), sa.ARRAY(sa.Integer()))))


def _test_list(field: Field, op: Op, value: Any) -> ColumnElement[bool]:
    """`@>` and `&&`, not `= ANY (column)`: these are what a GIN index on the array serves."""
    column, kind = _column(field), field.type.element
    if field.held is not None and op is not Op.STARTS_WITH:
        return _held(field.held, value if op is Op.IN else [value], kind, within_list=True)
    if field.selective and op is not Op.STARTS_WITH:
        return _looked_up(field, _array(value if op is Op.IN else [value], kind, like=column))
    if op is Op.IN:
        return column.bool_op("&&")(_array(value, kind, like=column))
    if op is Op.STARTS_WITH:
        element = sa.func.unnest(column).column_valued("element")
        pattern = bound(f"{_escaped(value)}%", kind)
        return sa.select(sa.literal_column("1")).where(sa.collate(element, "C").like(pattern)).exists()
    return column.bool_op("@>")(_array([value], kind, like=column))


def _held(held: Held, values: Sequence[Any], kind: FieldType, *, within_list: bool = False) -> ColumnElement[bool]:
    """One test for each value, since GIN serves no array of them."""

    def one(value: Any) -> ColumnElement[bool]:
        spelled = sa.literal(str(value), sa.Text()) if kind is FieldType.DATE else bound(value, kind)
        inner = sa.func.jsonb_build_array(spelled) if within_list else spelled
        return held.column.bool_op("@>")(sa.func.jsonb_build_object(sa.literal(held.key, sa.Text()), inner))

    return sa.or_(*map(one, values))


def _looked_up(field: Field, values: ColumnElement[Any]) -> ColumnElement[bool]:
    """The rows that hold one of the values, looked up for each by itself and once a statement.

    Of an array whose elements are nearly unique PostgreSQL has no statistics: it takes each to be in one row of two
    hundred, walks a list for what hardly any row has, and reads the whole table for a hundred of them.
    """
    assert isinstance(field.column, sa.Column)
    table = field.column.table
    row, keys = table.alias(), sa.func.unnest(values).table_valued("key").render_derived(name="sought")
    holds = row.c[field.column.name].bool_op("@>")(array([keys.c.key]))
    # OFFSET keeps it a look-up for each value: joined, all rows of a tenant might be read for all of them, since PostgreSQL
    # takes every tenant to be of the average size.
    found = sa.select(row.c.id).where(holds).offset(sa.literal_column("0")).lateral("found")
    ids = sa.select(found.c.id).select_from(keys.join(found, sa.true())).correlate(None)
    return table.c.id == sa.any_(sa.func.array(ids.scalar_subquery()))


def _array(values: Sequence[object], kind: FieldType, like: ColumnElement[Any] | None = None) -> ColumnElement[Any]:
    """One parameter for any number of values, so that the statement's text, and its plan, is the same."""
    if like is not None and isinstance(like.type, sa.ARRAY):
        # varchar[] and text[] do not compare, and a cast to varchar(n)[] would cut the values off.
        item = sa.Text() if isinstance(like.type.item_type, sa.Text) else sa.String()
        return sa.literal(list(values), sa.ARRAY(item))
    if kind is FieldType.DATE:
        return sa.cast(sa.literal([str(value) for value in values], sa.ARRAY(sa.Text())), sa.ARRAY(sa.Date()))
    return sa.literal(list(values), sa.ARRAY(_SQL_TYPES[kind]))


def _escaped(text: str) -> str:
    """The text as a LIKE pattern that matches only itself; backslash is PostgreSQL's default escape."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
