"""Whether events of a new schema may go out under an old type: only optional fields may come or go.

A consumer holds on to a type for years and the log keeps its oldest events; so within one version a field that was
always there stays, and a new one cannot be relied on. Anything else is `v2`, published beside `v1`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_SHAPE = ("type", "format", "pattern", "const")


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """What a consumer of `old` could stumble over in `new`; empty where nothing."""
    return list(_compare(old, new, _Definitions(old, new), "", frozenset()))


class _Definitions:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old.get("$defs", {}), new.get("$defs", {})

    def resolve(self, old: Schema, new: Schema) -> tuple[Schema, Schema]:
        return _resolved(old, self._old), _resolved(new, self._new)


def _resolved(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


def _compare(
    old: Schema, new: Schema, definitions: _Definitions, place: str, above: frozenset[tuple[int, int]]
) -> Iterator[str]:
    old, new = definitions.resolve(old, new)
    if (id(old), id(new)) in above:
        return
    above |= {(id(old), id(new))}
    for key in _SHAPE:
        if old.get(key) != new.get(key):
            yield f"{place or '/'}: {key} was {old.get(key)!r} and is {new.get(key)!r}"
    gone = [value for value in old.get("enum", ()) if value not in new.get("enum", ())]
    if gone or ("enum" in new and "enum" not in old):
        yield f"{place or '/'}: the values {gone or new['enum']} are no longer what they were"
    yield from _compare_members(old, new, definitions, place, above)
    for key in ("items", "additionalProperties"):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _compare(before, after, definitions, f"{place}/*", above)
        elif before != after:
            yield f"{place or '/'}: {key} differs"
    yield from _compare_variants(old, new, definitions, place, above)


def _compare_members(
    old: Schema, new: Schema, definitions: _Definitions, place: str, above: frozenset[tuple[int, int]]
) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted({*before, *after, *old.get("required", ()), *new.get("required", ())}):
        was, is_now = name in old.get("required", ()), name in new.get("required", ())
        if was and not is_now:
            yield f"{place}/{name}: was always there and {'may be missing' if name in after else 'is gone'}"
        elif is_now and not was:
            yield f"{place}/{name}: is required, but older events of this type lack it"
        if name in before and name in after:
            yield from _compare(before[name], after[name], definitions, f"{place}/{name}", above)


def _compare_variants(
    old: Schema, new: Schema, definitions: _Definitions, place: str, above: frozenset[tuple[int, int]]
) -> Iterator[str]:
    before, after = old.get("anyOf", []), new.get("anyOf", [])
    if len(before) != len(after):
        yield f"{place or '/'}: had {len(before)} variants and has {len(after)}"
        return
    for was, is_now in zip(before, after, strict=True):
        yield from _compare(was, is_now, definitions, place, above)
