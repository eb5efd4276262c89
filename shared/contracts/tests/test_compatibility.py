"""What may change within a major version, and that no release is broken with."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from crm_contracts.compatibility import incompatibilities
from crm_contracts.contacts import Contact
from crm_contracts.registry import CONTACT, EVERY_TOPIC
from crm_contracts.released import RELEASED, faults, file_name
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import Field, create_model

OLD: dict[str, Any] = {
    "type": "object",
    "required": ["id", "money"],
    "properties": {
        "id": {"type": "string", "maxLength": 9},
        "note": {"type": "string"},
        "stage": {"enum": ["new", "won"]},
        "mood": {"type": "string", "x-extensible-enum": ["glad"]},
        "money": {"$ref": "#/$defs/Money"},
        "due": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "custom": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "$defs": {
        "Money": {
            "type": "object",
            "required": ["amount"],
            "properties": {"amount": {"type": "string"}},
            "additionalProperties": False,
        },
        "Line": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}},
    },
}

Change = tuple[str, object]


def changed(*changes: Change) -> dict[str, Any]:
    new = deepcopy(OLD)
    for place, value in changes:
        *path, last = place.split("/")
        target = new
        for step in path:
            target = target[step]
        if value is None:
            del target[last]
        else:
            target[last] = value
    return new


FINE: dict[str, list[Change]] = {
    "nothing": [],
    "an optional member comes": [("properties/colour", {"type": "string"})],
    "an optional member comes, deep inside": [("$defs/Line/properties/colour", {"type": "string"})],
    "an optional member goes": [("properties/note", None)],
    "a word comes to an open vocabulary": [("properties/mood/x-extensible-enum", ["glad", "sad"])],
    "an enumeration in another order": [("properties/stage/enum", ["won", "new"])],
    "explanations change": [("properties/id/description", "The id"), ("title", "Other")],
}
BREAKING: dict[str, tuple[list[Change], str]] = {
    "a required member goes": ([("properties/id", None), ("required", ["money"])], "/id: was always there"),
    "a required member becomes optional": ([("required", ["money"])], "/id: was always there and may be missing"),
    "an optional member becomes required": ([("required", ["id", "money", "note"])], "/note: is required"),
    "a required member comes": (
        [("properties/x", {"type": "string"}), ("required", ["id", "money", "x"])],
        "/x: is required, but older events",
    ),
    "a required member is no longer described": ([("properties/id", None)], "/id: is required, and its schema went"),
    "a type changes": ([("properties/id/type", "integer")], "/id: type was 'string'"),
    "a pattern comes": ([("properties/id/pattern", "^a")], "/id: pattern was None"),
    "a bound is narrowed": ([("properties/id/maxLength", 8)], "/id: maxLength"),
    "a bound is widened": ([("properties/id/maxLength", 10)], "/id: maxLength"),
    "a format changes": ([("properties/due/anyOf", [{"type": "string"}, {"type": "null"}])], "/due: format"),
    "null is no longer possible": (
        [("properties/due/anyOf", [{"type": "string", "format": "date"}])], "/due: anyOf",
    ),
    "a value goes": ([("properties/stage/enum", ["new"])], "/stage: enum"),
    "a value comes to a closed list": ([("properties/stage/enum", ["new", "won", "lost"])], "/stage: enum"),
    "a member comes to a closed object": (
        [("$defs/Money/properties/digits", {"type": "integer"})], "/money/digits: came",
    ),
    "a closed object is opened": ([("$defs/Money/additionalProperties", None)], "/money: additionalProperties"),
    "the values of a dictionary change": (
        [("properties/custom/additionalProperties", {"type": "string"})], "/custom/*: type",
    ),
    "deep inside": ([("$defs/Line/properties/sku/type", "number")], "/lines/*/sku: type"),
    "in a list": ([("$defs/Line/required", ["sku", "x"])], "/lines/*/x: is required"),
    "a keyword that nobody thought of": ([("properties/id/contentEncoding", "base64")], "/id: contentEncoding"),
}  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_what_may_change_within_a_major(name: str) -> None:
    assert incompatibilities(OLD, changed(*FINE[name])) == []
    assert incompatibilities(changed(*FINE[name]), OLD) == []


@pytest.mark.parametrize("name", BREAKING)
def test_what_needs_a_new_major(name: str) -> None:
    changes, said = BREAKING[name]
    assert any(fault.startswith(said) for fault in incompatibilities(OLD, changed(*changes)))


_LEAVES = st.sampled_from(
    [
        {"type": "integer"},
        {"type": "integer", "minimum": 3},
        {"type": "string"},
        {"type": "string", "maxLength": 1},
        {"enum": ["a", "b"]},
        {"type": "string", "x-extensible-enum": ["a"]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
    ]
)


def _objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    members = st.dictionaries(st.sampled_from("abc"), inner)
    return st.builds(
        lambda members, required, closed: {
            "type": "object",
            "properties": members,
            "required": sorted(required & set(members)),
            **({"additionalProperties": False} if closed else {}),
        },
        members,
        st.sets(st.sampled_from("abc")),
        st.booleans(),
    )


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_SCHEMAS = _objects(st.recursive(_LEAVES, lambda inner: _objects(inner) | st.builds(_array, inner), max_leaves=4))


def _written(schema: dict[str, Any], draw: st.DrawFn) -> Any:
    """What a producer of this schema writes: it knows no other members."""
    if "anyOf" in schema:
        return _written(draw(st.sampled_from(schema["anyOf"])), draw)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kind = schema["type"]
    if kind == "object":
        wanted = [name for name in schema["properties"] if name in schema["required"] or draw(st.booleans())]
        without_a_type = dict.fromkeys(schema["required"], 1)
        return without_a_type | {name: _written(schema["properties"][name], draw) for name in wanted}
    if kind == "array":
        return [_written(schema["items"], draw) for _ in range(draw(st.integers(0, 2)))]
    if kind == "integer":
        return draw(st.integers(schema.get("minimum", -9), 9))
    return None if kind == "null" else draw(st.text("ab", max_size=schema.get("maxLength", 3)))


def _changed_somewhere(schema: dict[str, Any], draw: st.DrawFn) -> dict[str, Any]:
    """Another schema, more often than not one that differs in little."""
    new = deepcopy(schema)
    members, name = new["properties"], draw(st.sampled_from("abc"))
    match draw(st.sampled_from(["comes", "goes", "inside", "required", "closed"])):
        case "comes":
            members[name] = draw(_LEAVES)
        case "goes":
            members.pop(name, None)
            new["required"] = [one for one in new["required"] if one != name or draw(st.booleans())]
        case "inside" if members.get(name, {}).get("type") == "object":
            members[name] = _changed_somewhere(members[name], draw)
        case "required":
            new["required"] = sorted({*new["required"], name} & set(members))
        case "closed":
            new["additionalProperties"] = False
    return new


@given(st.data())
def test_what_is_called_compatible_is_read_either_way(data: st.DataObject) -> None:
    old = data.draw(_SCHEMAS)
    new = _changed_somewhere(old, data.draw)  # type: ignore[arg-type]  # draws like a composite's own draw
    assume(not incompatibilities(old, new))
    jsonschema.validate(_written(old, data.draw), new)  # type: ignore[arg-type]  # as above
    jsonschema.validate(_written(new, data.draw), old)  # type: ignore[arg-type]  # as above


def test_no_release_is_broken_with() -> None:
    """What it says is what to do."""
    assert faults() == []


@pytest.mark.parametrize("file", sorted(RELEASED.glob("crm.*.json")), ids=lambda file: file.stem)
def test_every_released_example_is_read_by_the_schema_of_its_minor_and_of_today(file: Path) -> None:
    released = json.loads(file.read_text(encoding="utf-8"))
    [topic] = [topic for topic in EVERY_TOPIC if file.name.startswith(f"{topic.name}.v")]
    for example in released["examples"].values():
        jsonschema.validate(example["value"], released["schema"])
        assert topic.model.model_validate(example["value"]["entity"])


NEWER = create_model("Contact", __base__=Contact, nickname=(str | None, None))
CHANGED: dict[str, tuple[Any, str]] = {
    "an optional member, and the minor is raised": (replace(CONTACT, model=NEWER, minor=1), ""),
    "an optional member": (replace(CONTACT, model=NEWER, minor=0), "was released with other members"),
    "a required member": (
        replace(CONTACT, model=create_model("Contact", __base__=Contact, nickname=(str, ...)), minor=1),
        "/entity/nickname: is required",
    ),
    "a member that may no longer be null": (
        replace(CONTACT, model=create_model("Contact", __base__=Contact, title=(str, Field(pattern="^x"))), minor=1),
        "its example of created is refused at /entity/title",
    ),
    "an action": (replace(CONTACT, actions=(*CONTACT.actions, "merged"), minor=0), "raise `minor` to 1"),
    "an action goes": (replace(CONTACT, actions=("created",), minor=1), "deleted, restated, updated is gone"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_model_is_held_to_what_was_released(name: str) -> None:
    topic, said = CHANGED[name]
    found = faults(RELEASED, (topic,))
    assert any(said in fault for fault in found) if said else not found, found


def test_a_released_file_that_was_changed_or_deleted_is_found(tmp_path: Path) -> None:
    for file in RELEASED.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert faults(tmp_path) == []
    name = file_name(CONTACT, 0)
    (tmp_path / name).write_text((tmp_path / name).read_text() + " ")
    assert any("take it back out of the history" in fault for fault in faults(tmp_path))
    (tmp_path / name).unlink()
    assert any("take it back out of the history" in fault for fault in faults(tmp_path))
