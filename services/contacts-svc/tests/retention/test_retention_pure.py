"""From when on a rule counts, and what narrows it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contacts_svc.features.retaining.rules import (
    LEAST_NOTICE,
    NOTICE,
    TooSoon,
    condition_for,
    cutoff,
    due_at,
    effective_from,
    is_carried_on,
    takes_more,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 29, tzinfo=UTC)
_SLACK = timedelta(minutes=5)


@dataclass(frozen=True)
class Rule:
    resource: str = "contacts"
    where: dict[str, Any] | None = None
    counted_from: str = "created_at"
    after_days: int = 30
    action: str = "erase"
    active: bool = True
    effective_at: datetime | None = None


_moments = st.integers(-60 * 24, 60 * 24).map(lambda hours: NOW + timedelta(hours=hours))
_rules = st.builds(
    Rule,
    where=st.sampled_from(
        [None, {"field": "source", "op": "eq", "value": "a"}, {"field": "tag", "op": "eq", "value": "b"}]
    ),
    counted_from=st.sampled_from(["created_at", "updated_at"]),
    after_days=st.integers(1, 40),
    action=st.sampled_from(["erase", "archive"]),
    active=st.booleans(),
    effective_at=st.none() | _moments,
)
_stored = st.builds(lambda rule, at: replace(rule, effective_at=at), _rules, _moments)


@dataclass(frozen=True)
class Record:
    created_days: int
    updated_days: int
    source: str

    def is_taken(self, rule: Rule) -> bool:
        """By a rule that counts already."""
        days = self.created_days if rule.counted_from == "created_at" else self.updated_days
        holds = rule.where is None or (rule.where["field"] == "source" and self.source == rule.where["value"])
        return rule.active and holds and days >= rule.after_days


_records = st.builds(Record, st.integers(0, 60), st.integers(0, 60), st.sampled_from("ab"))


@given(_stored, _rules, _records)
def test_what_takes_no_more_takes_no_record_that_was_not_taken(before: Rule, after: Rule, record: Record) -> None:
    if not takes_more(before, after) and record.is_taken(after):
        assert record.is_taken(before)
        assert before.action == after.action


@given(st.none() | _stored, _rules)
def test_nothing_is_taken_that_was_not_with_less_than_a_day_of_notice(before: Rule | None, after: Rule) -> None:
    least = NOW + LEAST_NOTICE - _SLACK
    try:
        at = effective_from(before, after, NOW)
    except TooSoon:
        at = None
    if at is None:
        assert after.effective_at is not None
        assert after.effective_at < least
    elif before is None or takes_more(before, after):
        assert at >= least
    else:
        assert before.effective_at is not None
        assert at >= min(before.effective_at, least)


@given(_stored)
def test_a_patch_that_changes_nothing_leaves_the_time(rule: Rule) -> None:
    assert effective_from(rule, rule, NOW) == rule.effective_at
    assert is_carried_on(rule, rule)


@given(_stored, st.integers(1, 100))
def test_more_days_are_narrower_and_fewer_are_not(rule: Rule, days: int) -> None:
    active = replace(rule, active=True)
    longer = replace(active, after_days=active.after_days + days)
    assert not takes_more(active, longer)
    assert takes_more(longer, active)
    assert not is_carried_on(active, longer)


def test_a_week_by_default_and_a_day_at_least() -> None:
    assert effective_from(None, Rule(), NOW) == NOW + NOTICE
    tomorrow = NOW + LEAST_NOTICE
    assert effective_from(None, Rule(effective_at=tomorrow - timedelta(seconds=1)), NOW) < tomorrow
    with pytest.raises(TooSoon):
        effective_from(None, Rule(effective_at=NOW), NOW)
    far = NOW + timedelta(days=90)
    stored = Rule(effective_at=far)
    assert effective_from(stored, replace(stored, after_days=1), NOW) == far, "what is later already stays so"


@given(st.integers(1, 36_500))
def test_due_is_what_lies_before_the_cutoff(days: int) -> None:
    assert due_at(cutoff(NOW, days), days) == NOW


def test_what_is_archived_is_taken_but_for_archiving() -> None:
    archived = {"field": "archived", "op": "eq", "value": True}
    where = {"field": "source", "op": "eq", "value": "x"}
    assert condition_for("contacts", "archive", where) == {"all": [where, {"not": archived}]}
    assert condition_for("contacts", "erase", None) == {"any": [archived, {"not": archived}]}
    assert condition_for("activities", "erase", where) == where
