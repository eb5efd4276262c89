"""Why a condition holds, and when that changes by itself."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from crm_kit.conditions import AnyOf, Field, FieldSet, FieldType, Not, evaluate, next_change, parse, reasons
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2027, 2, 27, 15, 30, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "Asia/Shanghai", "America/Los_Angeles", "America/Sao_Paulo", "Pacific/Kiritimati"])
FIELDS = FieldSet(
    "Thing",
    [
        Field("day", FieldType.DATE),
        Field("at", FieldType.DATETIME),
        Field("name", FieldType.TEXT),
    ],
)
days = st.dates(date(2027, 2, 15), date(2027, 3, 15)) | st.sampled_from([date(2024, 2, 29), date(1990, 3, 1)])
moments = st.timedeltas(timedelta(days=-9), timedelta(days=9)).map(lambda delta: NOW + delta)
documents = st.fixed_dictionaries({}, optional={"day": days, "at": moments, "name": st.sampled_from(["a", "b"])})
lengths = st.sampled_from(["1d", "7d", "365d"])
tests = (
    st.builds(
        lambda op, length: {"field": "day", "op": op, "value": length},
        st.sampled_from(["within_last", "within_next", "anniversary_within_next"]),
        lengths,
    )
    | st.builds(
        lambda op, length: {"field": "at", "op": op, "value": length},
        st.sampled_from(["within_last", "within_next"]),
        lengths | st.just("90m"),
    )
    | st.sampled_from([{"field": "name", "op": "eq", "value": "a"}, {"field": "at", "op": "exists", "value": True}])
)
conditions = st.recursive(
    tests,
    lambda inner: (
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=4,
)


@given(conditions, documents, ZONES, st.lists(st.floats(0, 1), max_size=6))
def test_nothing_changes_before_the_next_change(
    raw: dict[str, Any], document: dict[str, Any], zone: str, places: list[float]
) -> None:
    condition, now = parse(raw, FIELDS), NOW.astimezone(ZoneInfo(zone))
    said, until = evaluate(condition, document, now=now), next_change(condition, document, now=now)
    assert until is None or until > now
    end = until - timedelta(microseconds=1) if until is not None else NOW + timedelta(days=800)
    for place in (*places, 1.0):
        moment = (NOW + (end - NOW) * place).astimezone(ZoneInfo(zone))
        assert evaluate(condition, document, now=moment) is said, moment


@given(tests, documents, ZONES)
def test_every_change_of_one_comparison_is_found(raw: dict[str, Any], document: dict[str, Any], zone: str) -> None:
    """What is looked at only when it may change says each hour what is looked at each hour."""
    condition, now, due = parse(raw, FIELDS), NOW.astimezone(ZoneInfo(zone)), None
    said = evaluate(condition, document, now=now)
    due = next_change(condition, document, now=now)
    for hour in range(24 * 20):
        moment = (NOW + timedelta(hours=hour)).astimezone(ZoneInfo(zone))
        while due is not None and due <= moment:
            at = due.astimezone(ZoneInfo(zone))
            said, due = evaluate(condition, document, now=at), next_change(condition, document, now=at)
        assert said is evaluate(condition, document, now=moment), moment


@given(conditions, documents)
def test_the_reasons_are_true_and_enough(raw: dict[str, Any], document: dict[str, Any]) -> None:
    condition = parse(raw, FIELDS)
    holds = evaluate(condition, document, now=NOW)
    found = list(reasons(condition, document, now=NOW, holds=holds))
    assert found
    assert all(evaluate(each.comparison, document, now=NOW) is each.holds for each in found)
    denied: Any = AnyOf(tuple(Not(each.comparison) if each.holds else each.comparison for each in found))
    assert not evaluate(denied, document, now=NOW)


@pytest.mark.parametrize(
    ("born", "today", "length", "holds"),
    [
        (date(1990, 12, 31), date(2026, 12, 30), "1d", True),
        (date(1990, 1, 1), date(2026, 12, 30), "1d", False),
        (date(1990, 1, 1), date(2026, 12, 31), "1d", True),
        (date(2024, 2, 29), date(2027, 2, 27), "1d", True),
        (date(2024, 2, 29), date(2028, 2, 27), "1d", False),
        (date(2028, 2, 29), date(2027, 2, 27), "7d", False),
        (date(2027, 3, 1), date(2027, 2, 27), "7d", True),
    ],
)
def test_a_day_recurs_every_year(born: date, today: date, length: str, holds: bool) -> None:
    condition = parse({"field": "day", "op": "anniversary_within_next", "value": length}, FIELDS)
    noon = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    assert evaluate(condition, {"day": born}, now=noon) is holds


def test_what_day_it_is_the_time_zone_says() -> None:
    condition = parse({"field": "day", "op": "within_next", "value": "1d"}, FIELDS)
    there = {"day": date(2027, 3, 1)}
    late = datetime(2027, 2, 27, 17, tzinfo=UTC)
    assert not evaluate(condition, there, now=late)
    assert evaluate(condition, there, now=late.astimezone(ZoneInfo("Asia/Shanghai")))
