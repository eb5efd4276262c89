"""What becomes of tags, by rules alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from contacts_svc.features.contacts.repository import TAG_FIELDS as FIELDS
from contacts_svc.features.facts.rules import NO_FACTS, Group, facts_of
from contacts_svc.features.tag_reasons.rules import spelled
from contacts_svc.features.tagging.rules import (
    ActiveTagRule,
    TagCycle,
    in_order,
    own_tags,
    standing_still,
    tagged,
)
from crm_kit.conditions import parse
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 29, tzinfo=UTC)
TAGS = ["a", "b", "c"]
NONE = frozenset[str]()

tests = (
    st.builds(lambda value: {"field": "source", "op": "eq", "value": value}, st.sampled_from("xy"))
    | st.builds(lambda value: {"field": "orders.count", "op": "gte", "value": value}, st.integers(0, 2))
    | st.builds(lambda op, tag: {"field": "tag", "op": op, "value": tag}, st.sampled_from(["eq", "ne"]), st.sampled_from(TAGS))
)  # fmt: skip
rules = st.builds(
    lambda tag, where: (tag, where),
    st.sampled_from(TAGS),
    tests | st.builds(lambda *parts: {"all": list(parts)}, tests, tests),
)
records = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["x", "y", None]),
        "title": st.sampled_from(["x", None]),
        "tags": st.lists(st.sampled_from([*TAGS, "own"]), unique=True),
        "orders": st.integers(0, 2).map(lambda count: {**NO_FACTS["orders"], "count": count}),
    }
)


def ordered(given_rules: list[tuple[str, dict[str, Any]]]) -> list[ActiveTagRule]:
    """As many of them as hang on one another in no circle."""
    found: list[ActiveTagRule] = []
    for number, (tag, where) in enumerate(given_rules):
        rule = ActiveTagRule.of(f"tag_rule_{number}", "x", tag, parse(where, FIELDS), "UTC")
        try:
            found = in_order([*found, rule])
        except TagCycle:
            continue
    return found


@given(st.lists(rules, max_size=5), st.lists(records, min_size=1, max_size=5))
def test_decided_again_it_stays(
    given_rules: list[tuple[str, dict[str, Any]]], given_records: list[dict[str, Any]]
) -> None:
    active = ordered(given_rules)
    state: dict[str, Any] = {}
    for record in given_records:
        first = tagged(active, record, state, now=NOW, stands=NONE)
        again = tagged(active, {**record, "tags": first.tags}, first.state, now=NOW, stands=NONE)
        assert again == first
        assert set(own_tags(first.tags, first.state)) == set(own_tags(record["tags"], state))
        by_rules = {each["tag"] for each in first.state.get("rules", {}).values() if "taken" not in each}
        assert set(first.tags) == {*own_tags(record["tags"], state), *by_rules}
        assert len(set(first.tags)) == len(first.tags)
        nothing = tagged([], {**record, "tags": first.tags}, first.state, now=NOW, stands=NONE)
        assert (set(nothing.tags), nothing.state) == (set(own_tags(record["tags"], state)), {})
        state = first.state


@given(st.lists(rules, max_size=5), records, records)
def test_what_is_not_asked_would_have_said_the_same(
    given_rules: list[tuple[str, dict[str, Any]]], one: dict[str, Any], other: dict[str, Any]
) -> None:
    active = ordered(given_rules)
    before = tagged(active, one, {}, now=NOW, stands=NONE)
    was = {**one, "tags": before.tags}
    written = {**other, "orders": one["orders"], "tags": before.tags}
    asked = tagged(active, written, before.state, now=NOW, stands=NONE)
    stands = standing_still(active, written, was)
    blind = (
        {**written, "orders": NO_FACTS["orders"]} if all(r.id in stands for r in active if r.asks_facts) else written
    )
    assert tagged(active, blind, before.state, now=NOW, stands=stands) == asked


@given(st.lists(rules, max_size=6))
def test_each_comes_behind_those_on_whose_tags_it_hangs(given_rules: list[tuple[str, dict[str, Any]]]) -> None:
    active = ordered(given_rules)
    for place, rule in enumerate(active):
        assert not any(rule.hangs_on(later.tag) for later in active[place:])
    assert ordered(given_rules) == active


def test_a_circle_is_told_whole() -> None:
    def rule(number: int, tag: str, asks: str) -> ActiveTagRule:
        where = {"field": "tag", "op": "eq", "value": asks}
        return ActiveTagRule.of(f"tag_rule_{number}", "x", tag, parse(where, FIELDS), "UTC")

    with pytest.raises(TagCycle) as circle:
        in_order([rule(0, "z", "a"), rule(1, "a", "b"), rule(2, "b", "c"), rule(3, "c", "a")])
    assert {each.id for each in circle.value.rules} == {"tag_rule_1", "tag_rule_2", "tag_rule_3"}


orders = st.lists(
    st.tuples(
        st.sampled_from(["paid", "cancelled", "draft", "completed"]),
        st.sampled_from(["CNY", "EUR"]),
        st.decimals(-100, 100, places=2),
        st.integers(0, 500),
    )
)


@given(orders)
def test_facts_are_the_sums_of_what_counts(given_orders: list[tuple[str, str, Decimal, int]]) -> None:
    groups: dict[tuple[str, str], list[tuple[Decimal, datetime]]] = {}
    for status, currency, amount, days in given_orders:
        groups.setdefault((status, currency), []).append((amount, NOW - timedelta(days=days)))
    facts = facts_of(
        Group("orders", status, False, currency, len(some), sum(a for a, _ in some), min(at for _, at in some), max(at for _, at in some))  # type: ignore[arg-type]  # of some there is a sum
        for (status, currency), some in groups.items()
    )["orders"]  # fmt: skip
    counted = [each for each in given_orders if each[0] not in ("cancelled", "draft")]
    assert facts["count"] == len(counted)
    for currency in ("CNY", "EUR"):
        amounts = [amount for _, each, amount, _ in counted if each == currency]
        assert facts["total"].get(currency) == (f"{sum(amounts):f}" if amounts else None)
    days = [each[3] for each in counted]
    assert facts["last_at"] == ((NOW - timedelta(days=min(days))).isoformat() if days else None)
    assert facts["first_at"] == ((NOW - timedelta(days=max(days))).isoformat() if days else None)


def test_lengths_of_time_are_told_as_conditions_have_them() -> None:
    lengths = {"90d": timedelta(days=90), "12h": timedelta(hours=12), "30m": timedelta(minutes=30)}
    assert {text: spelled(length) for text, length in lengths.items()} == {text: text for text in lengths}
