"""The SQL of conditions is parameters only, and such that the indexes serve it."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from crm_kit.conditions import FieldSet, compile_condition, is_guessed, parse
from sqlalchemy.ext.asyncio import AsyncConnection

POSTGRESQL = sa.make_url("postgresql+asyncpg://").get_dialect()()
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _sql(raw: dict[str, Any], fields: FieldSet) -> str:
    return str(compile_condition(parse(raw, fields), now=NOW).compile(dialect=POSTGRESQL))


@pytest.mark.parametrize(
    ("field", "op", "value", "sql"),
    [
        ("name", "eq", "a'b", "things.name = $1::VARCHAR"),
        ("name", "ne", "a", "things.name IS DISTINCT FROM $1::VARCHAR"),
        ("label", "ne", "a", "things.label != $1::VARCHAR"),
        ("name", "lt", "a", '(things.name COLLATE "C") < $1::VARCHAR'),
        ("label", "lt", "a", "things.label < $1::VARCHAR"),
        ("tag", "eq", "vip", "things.tags @> $1::TEXT[]"),
        ("tag", "in", ["a", "b"], "things.tags && $1::TEXT[]"),
        ("code", "contains", "a", "things.codes @> $1::VARCHAR[]"),
        ("count", "in", [1, 2, 3], "things.count = ANY ($1::BIGINT[])"),
        ("name", "exists", False, "things.name IS NULL"),
    ],
)
def test_comparisons_compile_to_plain_sql(fields: FieldSet, field: str, op: str, value: Any, sql: str) -> None:
    assert _sql({"field": field, "op": op, "value": value}, fields) == sql


def test_negation_goes_to_the_comparisons(fields: FieldSet) -> None:
    name = {"field": "name", "op": "eq", "value": "a"}
    count = {"field": "count", "op": "gt", "value": 1}

    sql = _sql({"not": {"any": [name, {"not": count}]}}, fields)

    assert sql == "things.name IS DISTINCT FROM $1::VARCHAR AND things.count > $2::BIGINT"


_HAS_PART = {"field": "name", "op": "contains", "value": "小"}
_OTHER = {"field": "count", "op": "eq", "value": 1}


@pytest.mark.parametrize(
    ("raw", "guessed"),
    [
        (_HAS_PART, True),
        ({"all": [_OTHER, _HAS_PART]}, True),
        ({"any": [_HAS_PART, _OTHER]}, True),
        ({"not": _HAS_PART}, True),
        ({**_HAS_PART, "field": "title"}, True),
        ({**_HAS_PART, "op": "eq"}, False),
        (_OTHER, False),
        ({"field": "tag", "op": "eq", "value": "vip"}, True),
        ({"field": "mail", "op": "eq", "value": "a"}, False),
        ({"field": "mail", "op": "starts_with", "value": "a"}, True),
    ],
)
def test_what_postgresql_has_no_statistics_of(fields: FieldSet, raw: dict[str, Any], guessed: bool) -> None:
    assert is_guessed(parse(raw, fields)) is guessed


def test_a_field_of_documents_alone_has_no_sql(fields: FieldSet) -> None:
    condition = parse({"field": "only_in_documents", "op": "exists"}, fields)

    with pytest.raises(ValueError, match="no column"):
        compile_condition(condition, now=NOW)


@pytest.mark.parametrize(
    ("field", "op", "value", "index"),
    [
        ("name", "eq", "a", "by_name"),
        ("name", "in", ["a", "b"], "by_name"),
        ("name", "starts_with", "王_", "by_name_c"),
        ("name", "gte", "a", "by_name_c"),
        ("label", "starts_with", "a", "by_label"),
        ("count", "eq", 7, "by_count"),
        ("at", "within_last", "90d", "by_at"),
        ("tag", "eq", "vip", "by_tag"),
        ("tag", "in", ["vip", "b2b"], "by_tag"),
        ("code", "contains", "x", "by_code"),
        ("mail", "eq", "a@example.com", "by_mail"),
        ("mail", "in", [f"{number}@example.com" for number in range(100)], "by_mail"),
        ("name", "contains", "小明", "by_grams"),
        ("label", "contains", "a%", "by_grams"),
    ],
)
async def test_indexes_serve_conditions(
    connection: AsyncConnection, table: sa.Table, fields: FieldSet, field: str, op: str, value: Any, index: str
) -> None:
    condition = compile_condition(parse({"field": field, "op": op, "value": value}, fields), now=NOW, by_grams=True)
    statement = sa.select(table.c.id).where(condition)
    async with connection.begin_nested() as savepoint:
        for definition in (
            "by_name on things (name)",
            'by_name_c on things (name collate "C")',
            "by_label on things (label)",
            "by_count on things (count)",
            "by_at on things (at)",
            "by_tag on things using gin (tags)",
            "by_code on things using gin (codes)",
            "by_mail on things using gin (mails)",
            "by_grams on things using gin (grams)",
        ):
            await connection.execute(sa.text(f"create index {definition}"))
        await connection.execute(sa.text("set local enable_seqscan = off"))
        compiled = statement.compile(dialect=connection.dialect)
        plan = await connection.exec_driver_sql(
            f"explain {compiled}", tuple(compiled.params[name] for name in compiled.positiontup or ())
        )
        lines = "\n".join(line for (line,) in plan)
        await savepoint.rollback()

    assert f"{index} " in lines
    assert "Index Cond" in lines
