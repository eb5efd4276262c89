"""Whether two schemas may go by one major version, each reading what was written by the other.

Old events stay in the log for ever, and old consumers run beside new producers. So within a major all stays as it was,
but for members that are optional, which may come and go, and words that only explain. Neither narrower nor wider will
do: one breaks the reader of old events, the other the old reader. Anything else is a new major, published beside.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_WORDS: Final = frozenset(
    {
        "$schema",
        "$id",
        "$defs",
        "title",
        "description",
        "examples",
        "deprecated",
        "x-extensible-enum",
        "x-relata-declared",
        "x-relata-sensitivity",
    }
)
"""They refuse no value. `x-extensible-enum` lists the known words of an open vocabulary, and what is shown to whom
(`x-relata-sensitivity`) is no matter of events.
"""

_DECLARED: Final = frozenset({"additionalProperties"})
"""Under `x-relata-declared`: of what type these are, each tenant declares at run time (docs/adr/0027-custom-fields.md)."""

_VALUES: Final = frozenset({"const", "enum", "default"})
"""Keywords that hold JSON, not schemas."""


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """Where one of the two would refuse or misread what the other admits; empty where nowhere."""
    return list(_Comparison(old, new).of(old, new, "", frozenset()))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old.get("$defs", {}), new.get("$defs", {})

    def of(self, old: Schema, new: Schema, place: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if (id(old), id(new)) in above:
            return
        above |= {(id(old), id(new))}
        declared = _DECLARED if new.get("x-relata-declared") else frozenset()
        for key in sorted({*old, *new} - _WORDS - declared - {"properties", "required"}):
            yield from self._keyword(key, old.get(key), new.get(key), place, above)
        yield from self._members(old, new, place, above)

    def _keyword(self, key: str, old: Any, new: Any, place: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
        schemas = key not in _VALUES
        if schemas and isinstance(old, dict) and isinstance(new, dict):
            yield from self.of(old, new, f"{place}/*", above)
        elif schemas and _are_schemas(old) and _are_schemas(new) and len(old) == len(new):
            for was, is_now in zip(old, new, strict=True):
                yield from self.of(was, is_now, place, above)
        elif _spelled(old) != _spelled(new):
            yield f"{place or '/'}: {key} was {old!r} and is {new!r}"

    def _members(self, old: Schema, new: Schema, place: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        closed = "additionalProperties" in old or "additionalProperties" in new
        for name in sorted({*before, *after, *old.get("required", ()), *new.get("required", ())}):
            was, is_now = name in old.get("required", ()), name in new.get("required", ())
            if was and not is_now:
                yield f"{place}/{name}: was always there and {'may be missing' if name in after else 'is gone'}"
            elif is_now and not was:
                yield f"{place}/{name}: is required, but older events lack it"
            elif was and (name in before) != (name in after):
                yield f"{place}/{name}: is required, and its schema {'came' if name in after else 'went'}"
            elif closed and (name in before) != (name in after):
                yield f"{place}/{name}: {'came' if name in after else 'went'}, but the object admits no other members"
            if name in before and name in after:
                yield from self.of(before[name], after[name], f"{place}/{name}", above)


def _resolved(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


def _are_schemas(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _spelled(value: Any) -> str:
    """Python would call 1, 1.0 and True equal. The order of an enumeration says nothing."""
    return repr(sorted(map(repr, value))) if isinstance(value, list) else repr(value)
