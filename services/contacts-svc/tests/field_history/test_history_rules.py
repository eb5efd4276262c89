"""What an entry says of a field is what the field was."""

from itertools import pairwise
from typing import Any

import orjson
from contacts_svc.features.field_history.rules import said_of, source_of
from crm_kit.audit.changes import changes_of, encoded
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.none() | st.integers(-9, 9) | st.text(max_size=3)
NAMES = ("level", "size")
STATES = st.fixed_dictionaries({"title": VALUES, "custom": st.dictionaries(st.sampled_from(NAMES), VALUES)})


@given(st.lists(STATES, min_size=1, max_size=6))
def test_the_newest_that_is_said_is_the_value_and_nothing_is_said_twice(states: list[dict[str, Any]]) -> None:
    entries = [
        orjson.loads(changes_of(encoded(before) if before is not None else None, encoded(after)))
        for before, after in zip([None, *states], states, strict=False)
    ]
    for field in ("title", *(f"custom.{name}" for name in NAMES)):
        member, _, name = field.partition(".")
        now = states[-1][member] if not name else states[-1][member].get(name)
        said = [value for entry in entries if (value := said_of(entry, field)) is not None]
        assert (said[-1].value if said else None) == now
        assert all(one != another for one, another in pairwise(said))


def test_a_long_value_is_said_to_be_omitted() -> None:
    entry = orjson.loads(changes_of(encoded({"custom": {"a": 1}}), encoded({"custom": {"a": "x" * 5000}})))
    assert said_of(entry, "custom.a") == (None, True)
    back = orjson.loads(changes_of(encoded({"custom": {"a": "x" * 5000}}), encoded({"custom": {"a": 1}})))
    assert said_of(back, "custom.a") == (1, False)
    assert said_of(back, "title") is None
    assert said_of(orjson.loads(changes_of(encoded({"title": "x"}), None)), "title") is None, "deleted"


def test_an_unknown_job_is_a_job() -> None:
    assert source_of("updated", "user", "job_1", 2, {"job_1": ("privacy", "privacy_1")}) == ("job", "privacy_1")
    assert source_of("updated", "user", "job_1", 2, {}) == ("api", None)
    assert source_of("updated", "event", "event-1", 2, {}) == ("event", None)
