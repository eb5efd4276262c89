"""JSON Merge Patch as RFC 7396 has it, its Appendix A and what follows from its definition."""

import copy
from typing import Any

import pytest
from crm_kit.http.merge_patch import PatchTooDeep, apply
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_appendix_a(target: object, patch: object, result: object) -> None:
    assert apply(target, patch) == result


def test_depth_is_bounded() -> None:
    patch: Any = 1
    for _ in range(64):
        patch = {"a": patch}
    assert apply({}, patch) == patch
    with pytest.raises(PatchTooDeep):
        apply({}, {"a": patch})


def _json(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    scalars = st.none() | st.booleans() | st.integers(0, 3)
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3), max_leaves=8
    )


documents = _json(st.sampled_from("abc"))


@given(target=documents, patch=documents)
def test_a_patch_applied_twice_is_applied_once(target: Any, patch: Any) -> None:
    once = apply(target, patch)

    assert apply(once, patch) == once


@given(target=documents, patch=documents)
def test_neither_target_nor_patch_is_changed(target: Any, patch: Any) -> None:
    before = copy.deepcopy((target, patch))

    apply(target, patch)

    assert (target, patch) == before


@given(target=documents)
def test_an_empty_patch_changes_no_object(target: Any) -> None:
    assert apply(target, {}) == (target if isinstance(target, dict) else {})


@given(
    target=st.dictionaries(st.sampled_from("abc"), documents), patch=st.dictionaries(st.sampled_from("abc"), documents)
)
def test_each_member_is_patched_for_itself(target: dict[str, Any], patch: dict[str, Any]) -> None:
    result = apply(target, patch)

    assert isinstance(result, dict)
    for name in {*target, *patch}:
        if name not in patch:
            assert result[name] == target[name]
        elif patch[name] is None:
            assert name not in result
        else:
            assert result[name] == apply(target.get(name), patch[name])
