"""Whether a rule is asked, and what it says."""

from datetime import UTC, datetime
from typing import Any

from contacts_svc.features.contacts.repository import FIELDS
from contacts_svc.features.validating.rules import ActiveRule, broken_rules
from contacts_svc.features.validation_rules.rules import breaking
from crm_kit.conditions import evaluate, parse
from crm_kit.errors import Text
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 29, tzinfo=UTC)
RECORDS = st.fixed_dictionaries(
    {
        "title": st.sampled_from(["a", "b", None]),
        "source": st.sampled_from(["a", "b", None]),
        "tags": st.lists(st.sampled_from("ab"), unique=True),
        "language": st.sampled_from(["zh", "en"]),
    }
)
CONDITIONS = st.sampled_from(
    [
        {"field": "title", "op": "exists", "value": True},
        {"field": "source", "op": "eq", "value": "a"},
        {"not": {"field": "tag", "op": "eq", "value": "b"}},
        {"any": [{"field": "title", "op": "eq", "value": "a"}, {"field": "tag", "op": "eq", "value": "a"}]},
    ]
)


def rule(condition: dict[str, Any], when: dict[str, Any] | None) -> ActiveRule:
    parsed = parse(when, FIELDS) if when is not None else None
    return ActiveRule("validation_rule_1", "x", Text("x", "x"), parse(condition, FIELDS), parsed, None)


@given(RECORDS, CONDITIONS, st.none() | CONDITIONS)
def test_a_new_record_breaks_what_a_preview_would_find(
    record: dict[str, Any], condition: dict[str, Any], when: dict[str, Any] | None
) -> None:
    broken = list(broken_rules([rule(condition, when)], record, None, now=NOW))
    assert bool(broken) == evaluate(parse(breaking(condition, when), FIELDS), record, now=NOW)


@given(RECORDS, RECORDS, CONDITIONS, st.none() | CONDITIONS)
def test_what_is_refused_of_a_change_is_broken_by_what_it_changes(
    before: dict[str, Any], after: dict[str, Any], condition: dict[str, Any], when: dict[str, Any] | None
) -> None:
    one = rule(condition, when)
    assert not list(broken_rules([one], after, after, now=NOW)), "nothing has changed"
    if list(broken_rules([one], after, before, now=NOW)):
        assert list(broken_rules([one], after, None, now=NOW))
        assert {**after, "language": before["language"]} != before
    unrelated = {**before, "language": "de"}
    assert not list(broken_rules([one], unrelated, before, now=NOW))
