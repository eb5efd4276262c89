"""What a condition may say, and what is answered to one that may not."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from crm_kit.conditions import AllOf, AnyOf, Comparison, FieldSet, InvalidCondition, Not, Op, parse, parse_equality
from hypothesis import given
from hypothesis import strategies as st


def _errors(raw: object, fields: FieldSet) -> list[tuple[str, str]]:
    with pytest.raises(InvalidCondition) as caught:
        parse(raw, fields, "/where")
    assert all(error.detail for error in caught.value.errors)
    return [(error.pointer, error.code.value) for error in caught.value.errors]


def test_a_condition_becomes_a_tree_of_typed_comparisons(fields: FieldSet) -> None:
    parsed = parse(
        {
            "all": [
                {"field": "name", "op": "starts_with", "value": "王"},
                {"any": [{"not": {"field": "tag", "op": "in", "value": ["vip", "b2b"]}}]},
            ]
        },
        fields,
    )

    match parsed:
        case AllOf((Comparison(name, Op.STARTS_WITH, "王"), AnyOf((Not(Comparison(tag, Op.IN, ("vip", "b2b"))),)))):
            assert (name.name, tag.name) == ("name", "tag")
        case _:
            pytest.fail(f"{parsed}")


@pytest.mark.parametrize(
    ("field", "op", "raw", "value"),
    [
        ("at", "before", "2026-02-28T09:30:00Z", datetime(2026, 2, 28, 9, 30, tzinfo=UTC)),
        ("at", "gte", "2026-02-28t17:30:00.1234567+08:00", datetime(2026, 2, 28, 9, 30, 0, 123456, UTC)),
        ("day", "eq", "2024-02-29", date(2024, 2, 29)),
        ("money.amount", "gte", "1999.00", Decimal("1999.00")),
        ("money.amount", "gte", 0.1, Decimal("0.1")),
        ("money.amount", "in", [1, "2.5"], (Decimal(1), Decimal("2.5"))),
        ("count", "lt", 5.0, 5),
        ("ok", "ne", False, False),
        ("at", "within_last", "90d", timedelta(days=90)),
        ("at", "within_last", "30m", timedelta(minutes=30)),
        ("day", "within_last", "2w", timedelta(weeks=2)),
        ("name", "exists", False, False),
        ("state", "eq", "open", "open"),
        ("mail", "eq", "Xiao@Example.COM", "xiao@example.com"),
        ("mail", "in", ["A@b.cn", "c@D.cn"], ("a@b.cn", "c@d.cn")),
    ],
)
def test_values_get_the_type_of_their_field(fields: FieldSet, field: str, op: str, raw: Any, value: Any) -> None:
    parsed = parse({"field": field, "op": op, "value": raw}, fields)

    assert isinstance(parsed, Comparison)
    assert parsed.value == value
    assert type(parsed.value) is type(value)


def test_exists_may_leave_its_value_out(fields: FieldSet) -> None:
    parsed = parse({"field": "name", "op": "exists"}, fields)

    assert isinstance(parsed, Comparison)
    assert parsed.value is True


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("at", "eq", "2026-02-28T09:30:00"),
        ("at", "eq", "2026-02-30T09:30:00Z"),
        ("at", "eq", "0001-01-01T00:00:00+08:00"),
        ("at", "eq", "2026-02-28 09:30:00Z"),
        ("at", "eq", 1772271000),
        ("day", "eq", "20240229"),
        ("day", "eq", "2023-02-29"),
        ("day", "within_last", "12h"),
        ("at", "within_last", "-1d"),
        ("at", "within_last", "999999d"),
        ("at", "within_last", 90),
        ("money.amount", "eq", "NaN"),
        ("money.amount", "eq", float("inf")),
        ("money.amount", "eq", float("nan")),
        ("money.amount", "eq", "1_000"),
        ("money.amount", "eq", "１"),
        ("money.amount", "eq", True),
        ("count", "eq", "7"),
        ("count", "eq", 1.5),
        ("count", "eq", 2**63),
        ("count", "eq", True),
        ("ok", "eq", 1),
        ("ok", "eq", "true"),
        ("name", "eq", 1),
        ("name", "eq", "a\0b"),
        ("name", "contains", "\ud800"),
        ("name", "eq", "a" * 1_001),
        ("name", "eq", None),
        ("name", "eq", ["a"]),
        ("name", "exists", "yes"),
        ("name", "in", "a"),
        ("name", "in", []),
        ("state", "eq", "unheard of"),
        ("state", "eq", {}),
        ("was", "contains", "ope"),
    ],
)
def test_a_value_of_another_type_is_refused(fields: FieldSet, field: str, op: str, value: Any) -> None:
    assert _errors({"field": field, "op": op, "value": value}, fields) == [("/where/value", "type_mismatch")]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        "all",
        7,
        {"all": [], "any": []},
        {"field": "name"},
        {"field": "name", "op": "eq", "value": "a", "extra": 1},
        {"field": "name", "op": "exists", "not": {}},
        {1: 2},
    ],
)
def test_another_shape_is_malformed(fields: FieldSet, raw: object) -> None:
    assert _errors(raw, fields) == [("/where", "malformed")]


def test_groups_hold_at_least_one_condition(fields: FieldSet) -> None:
    assert _errors({"all": []}, fields) == [("/where/all", "malformed")]
    assert _errors({"any": {}}, fields) == [("/where/any", "malformed")]
    assert _errors({"not": None}, fields) == [("/where/not", "malformed")]


def test_every_error_is_reported_where_it_is(fields: FieldSet) -> None:
    raw = {
        "all": [
            {"field": "nmae", "op": "eq", "value": 1},
            {"any": [{"field": "ok", "op": "lt", "value": True}, {"field": "day", "op": "eq", "value": "soon"}]},
            {"not": {"field": "name", "op": "in", "value": ["a", 1, None]}},
            {"field": "name", "op": "like", "value": "a"},
            {"field": "name", "op": "eq"},
            {"field": ["name"], "op": "eq", "value": "a"},
            {"field": "secret", "op": "eq", "value": "a"},
        ]
    }

    assert _errors(raw, fields) == [
        ("/where/all/0/field", "unknown_field"),
        ("/where/all/1/any/0/op", "unknown_operator"),
        ("/where/all/1/any/1/value", "type_mismatch"),
        ("/where/all/2/not/value/1", "type_mismatch"),
        ("/where/all/2/not/value/2", "type_mismatch"),
        ("/where/all/3/op", "unknown_operator"),
        ("/where/all/4", "malformed"),
        ("/where/all/5/field", "malformed"),
        ("/where/all/6/field", "unknown_field"),
    ]


def test_a_misspelt_field_is_answered_with_the_right_one(fields: FieldSet) -> None:
    with pytest.raises(InvalidCondition, match="Did you mean 'name'"):
        parse({"field": "nmae", "op": "eq", "value": ""}, fields)


def test_conditions_are_bounded(fields: FieldSet) -> None:
    leaf: dict[str, Any] = {"field": "ok", "op": "eq", "value": True}
    nested = leaf
    for _ in range(7):
        nested = {"not": nested}
    parse(nested, fields)
    assert _errors({"not": nested}, fields) == [("/where" + "/not" * 8, "too_complex")]

    parse({"all": [leaf] * 100}, fields)
    assert _errors({"all": [leaf] * 101}, fields) == [("/where/all", "too_complex")]
    assert _errors({"all": [{"any": [leaf] * 60}] * 2}, fields) == [("/where/all/1/any/40", "too_complex")]

    parse({"field": "name", "op": "in", "value": ["a"] * 200}, fields)
    too_many = {"field": "name", "op": "in", "value": ["a"] * 201}
    assert _errors(too_many, fields) == [("/where/value", "too_complex")]


def test_errors_are_bounded(fields: FieldSet) -> None:
    assert len(_errors({"all": [{"all": [{}] * 100}] * 100}, fields)) <= 110


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["all", "any", "not", "field", "op", "value"]), inner, max_size=3)
    ),
)


@given(raw=_anything, field=st.sampled_from(["name", "at", "money.amount", "tag", "was"]), op=st.sampled_from(list(Op)))
def test_no_json_breaks_the_parser(fields: FieldSet, raw: object, field: str, op: Op) -> None:
    for condition in (raw, {"all": [raw]}, {"field": field, "op": op.value, "value": raw}):
        with suppress(InvalidCondition):
            parse(condition, fields)


def test_query_parameters_are_equalities(fields: FieldSet) -> None:
    parsed = parse_equality([("tag", "vip"), ("tag", "b2b"), ("ok", "true"), ("count", "-7")], fields)

    assert isinstance(parsed, AllOf)
    assert [part.value for part in parsed.parts if isinstance(part, Comparison)] == ["vip", "b2b", True, -7]
    assert parse_equality([], fields) is None


def test_query_parameters_are_checked(fields: FieldSet) -> None:
    wrong = [("a/b", "1"), ("ok", "yes"), ("count", "1e3"), ("state", ""), ("money.amount", "a"), ("name", "ok")]
    with pytest.raises(InvalidCondition) as caught:
        parse_equality(wrong, fields)

    assert [(error.pointer, error.code.value) for error in caught.value.errors] == [
        ("/a~1b", "unknown_field"),
        ("/ok", "type_mismatch"),
        ("/count", "type_mismatch"),
        ("/state", "type_mismatch"),
        ("/money.amount", "type_mismatch"),
    ]
