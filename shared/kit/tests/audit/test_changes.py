"""What an entry keeps of a change: what differs, bounded, and no secret."""

import hashlib
from typing import Any

import orjson
from crm_kit.audit.changes import MAX_VALUE_BYTES, changes_of, changes_of_new, differing, encoded
from hypothesis import given
from hypothesis import strategies as st

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["title", "text", "price", "id", "version", "created_at", "updated_at"])
_BODIES = st.dictionaries(_NAMES, _JSON)


@given(_BODIES, _BODIES)
def test_what_differs_is_told_with_both_sides(before: dict[str, Any], after: dict[str, Any]) -> None:
    told = orjson.loads(changes_of(encoded(before), encoded(after)))
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        same = orjson.dumps(old, option=orjson.OPT_SORT_KEYS) == orjson.dumps(new, option=orjson.OPT_SORT_KEYS)
        if same or name in ("id", "version", "created_at", "updated_at"):
            assert name not in told
        else:
            assert told[name] == {"before": old, "after": new}


@given(_BODIES)
def test_what_came_to_be_has_no_before_and_what_went_no_after(body: dict[str, Any]) -> None:
    made, gone = orjson.loads(changes_of(None, encoded(body))), orjson.loads(changes_of(encoded(body), None))
    assert all(change.keys() == {"after"} for change in made.values())
    assert all(change.keys() == {"before"} for change in gone.values())
    assert (
        made.keys()
        == gone.keys()
        == {name for name, value in body.items() if value is not None and name in ("title", "text", "price")}
    )


_ANY_NAME = _NAMES | st.sampled_from(["secret", "api_key"])
_ANY_LENGTH = _JSON | st.integers(MAX_VALUE_BYTES - 40, MAX_VALUE_BYTES + 2).map(lambda length: "x" * length)


@given(st.dictionaries(_ANY_NAME, _ANY_LENGTH))
def test_what_came_to_be_is_told_alike_in_one_piece(body: dict[str, Any]) -> None:
    assert changes_of_new(body) == changes_of(None, encoded(body))


def test_true_and_one_differ() -> None:
    assert differing(encoded({"a": 1, "b": 1.0}), encoded({"a": True, "b": 1})) == ["a", "b"]


def test_a_long_value_is_told_by_its_digest() -> None:
    long = "长" * MAX_VALUE_BYTES
    told = orjson.loads(changes_of(encoded({"text": "short"}), encoded({"text": long})))
    value = orjson.dumps(long)
    omitted = {"reason": "long", "bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    assert told == {"text": {"before": "short", "after_omitted": omitted}}


def test_a_secret_is_never_told() -> None:
    told = changes_of(
        encoded({"webhook_secret": "hunter2"}), encoded({"webhook_secret": "hunter3", "password": "pa55"})
    )
    assert "hunter" not in told
    assert "pa55" not in told
    assert orjson.loads(told)["webhook_secret"] == {
        "before_omitted": {"reason": "secret"},
        "after_omitted": {"reason": "secret"},
    }
