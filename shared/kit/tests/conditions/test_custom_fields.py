"""Custom fields: SQL over JSONB and Python over documents select the same, whatever was stored before the declaration."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from crm_contracts.custom_fields import CustomField
from crm_contracts.ids import CustomFieldId
from crm_kit.conditions import FieldSet, FieldType, Op, compile_condition, evaluate, parse
from crm_kit.conditions.fields import Field
from crm_kit.custom_fields import Declared
from crm_kit.http.pagination import SortKey, apply_keyset
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
CHOICES = ("gold", "silver", "王")


def declaration(kind: str, **members: Any) -> CustomField:
    chosen = CHOICES if "choice" in kind else ()
    choices = [{"value": value, "label": {"en": value}, "archived": False} for value in chosen]
    told = {"id": CustomFieldId.new(), "version": 1, "created_at": NOW, "updated_at": NOW}
    return CustomField.model_validate(
        {
            **told,
            "resource": "things",
            "name": kind,
            "label": {"en": kind},
            "description": None,
            "type": kind,
            "choices": choices,
            "required": False,
            "default": None,
            "rules": [],
            "sensitivity": "open",
            "archived": False,
        }
        | members
    )


KINDS = ("text", "number", "money", "date", "choice", "multi_choice", "link", "boolean", "json")
DECLARED = Declared(declaration(kind) for kind in KINDS)
CUSTOM = sa.literal_column("custom", JSONB)
FIELDS = DECLARED.among(FieldSet("Thing", [], declared_under="custom"), CUSTOM)

texts = st.sampled_from(
    ["", "a", "A", "ab", "%", "a_b", "\\", "王小明", "王", "gold", "silver", "null", "true", "1", "\uffff"]
)
numbers = st.sampled_from([0, 1, -1, 1.0, 1.5, -0.0, 0.1, 1e21, 1e-9, 2**53, 10, 9])
dates = st.sampled_from(
    ["2026-02-28", "2026-03-01", "2026-02-22", "0001-01-01", "9999-12-31", "2026-02-29", "2026-2-1"]
)
dates |= st.sampled_from(
    ["0000-01-01", "today", "infinity", "20260222", "2026-13-01", "2026-02-28\n", "２０２６-02-28"]
)
amounts = st.sampled_from(["0", "-0.0", "1", "1.0", "1.10", "-3", "1e5", "NaN", "", " 1", "1.1234567", "9" * 15])
amounts |= st.sampled_from(["9" * 16, "١", "1\n"])
money = st.fixed_dictionaries(
    {},
    optional={"amount": amounts | numbers | st.none(), "currency": st.sampled_from(["CNY", "USD", 1, None, ["CNY"]])},
)
scalars = st.none() | st.booleans() | numbers | texts | dates | amounts
values = scalars | st.lists(scalars | st.lists(texts, max_size=1), max_size=3) | money
customs = st.dictionaries(st.sampled_from([*KINDS, "other"]), values, max_size=9)

ASKED: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.TEXT: texts | dates,
    FieldType.ID: st.sampled_from(["CNY", "USD", "1", ""]),
    FieldType.CHOICE: st.sampled_from(CHOICES),
    FieldType.NUMBER: numbers | st.sampled_from(["1", "1.10", "-3", "0.1"]),
    FieldType.BOOLEAN: st.booleans(),
    FieldType.DATE: st.sampled_from(["2026-02-28", "2026-03-01", "0001-01-01", "9999-12-31", "2026-02-22"]),
}


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    field: Field = draw(st.sampled_from(list(FIELDS)))
    op = draw(st.sampled_from(sorted(field.type.ops)))
    value: Any = draw(ASKED[field.type.element])
    match op:
        case Op.IN | Op.NOT_IN:
            value = draw(st.lists(ASKED[field.type.element], min_size=1, max_size=3))
        case Op.EXISTS:
            value = draw(st.booleans())
        case Op.WITHIN_LAST | Op.WITHIN_NEXT | Op.ANNIVERSARY_WITHIN_NEXT:
            value = draw(st.sampled_from(["1d", "1w", "99999d"]))
    one = {"field": field.name, "op": op.value, "value": value}
    return {"not": one} if draw(st.booleans()) else one


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@example([{"field": "custom.date", "op": "eq", "value": "0001-01-01"}], [{"date": "0001-01-01"}])
@example([{"field": "custom.date", "op": "in", "value": ["9999-12-31"]}], [{"date": "9999-12-31"}])
@given(asked=st.lists(conditions(), min_size=1, max_size=8), some=st.lists(customs, min_size=1, max_size=8))
async def test_sql_and_python_select_the_same(
    connection: AsyncConnection, asked: list[dict[str, Any]], some: list[dict[str, Any]]
) -> None:
    parsed = [parse(condition, FIELDS) for condition in asked]
    chosen = [sa.case((compile_condition(condition, now=NOW), True), else_=False) for condition in parsed]
    rows = sa.values(sa.column("custom", JSONB), name="given").data([(custom,) for custom in some])
    found = (await connection.execute(sa.select(*chosen).select_from(rows))).all()
    documents = [{"custom": custom} for custom in some]
    assert [list(row) for row in found] == [
        [evaluate(condition, document, now=NOW) for condition in parsed] for document in documents
    ], asked


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(some=st.lists(customs, min_size=1, max_size=8), descending=st.booleans())
async def test_what_is_of_another_type_sorts_last(
    connection: AsyncConnection, some: list[dict[str, Any]], descending: bool
) -> None:
    rows = sa.values(sa.column("custom", JSONB), name="given").data([(custom,) for custom in some])
    for field in FIELDS:
        if not field.sortable:
            continue
        there = parse({"field": field.name, "op": "exists"}, FIELDS)
        sort = (SortKey(field, descending=descending),)
        found = await connection.execute(apply_keyset(sa.select(CUSTOM).select_from(rows), sort))
        held = [evaluate(there, {"custom": custom}, now=NOW) for custom in found.scalars()]
        assert held == sorted(held, reverse=True)
