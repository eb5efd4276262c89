"""What changed in an entity, as an entry keeps it: member by member, before and after, bounded, without secrets."""

import hashlib
from collections.abc import Mapping
from typing import Final

import orjson
from crm_contracts.types import Entity

from crm_kit.observability.logs import names_secret

MAX_VALUE_BYTES: Final = 4096
"""A longer value is told by its length and SHA-256. An entity has a few dozen members, so an entry is bounded too."""

BOOKKEEPING: Final = frozenset({"version", "updated_at"})
_TOLD_BESIDE: Final = BOOKKEEPING | {"id", "created_at"}

Members = Mapping[str, bytes]
"""An entity's members by name, each as JSON with its names sorted: equal where the values are."""

_NOTHING: Final = b"null"


def members_of(entity: Entity) -> Members:
    """Python would call `true` and `1` equal, or `1.0` and `1.00`; their JSON is not."""
    return encoded(entity.model_dump(mode="json"))


def encoded(body: Mapping[str, object]) -> Members:
    return {name: orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for name, value in body.items()}


def differing(before: Members, after: Members) -> list[str]:
    """The members that differ, but for those that change with every version."""
    return sorted(name for name in after if name not in BOOKKEEPING and after[name] != before.get(name))


def changes_of(before: Members | None, after: Members | None) -> str:
    """JSON of what differs: `{"name": {"before": …, "after": …}}`. Without `before` it came to be, without `after` it went.

    A null that came to be or went is not told. A long value is `before_omitted` or `after_omitted`.
    """
    old, new = before or {}, after or {}
    told: dict[str, dict[str, object]] = {}
    for name in sorted(old.keys() | new.keys()):
        ours, theirs = old.get(name, _NOTHING), new.get(name, _NOTHING)
        if name in _TOLD_BESIDE or ours == theirs:
            continue
        change: dict[str, object] = {}
        if before is not None:
            _tell(change, "before", name, ours)
        if after is not None:
            _tell(change, "after", name, theirs)
        told[name] = change
    return orjson.dumps(told).decode()


def changes_of_new(body: Mapping[str, object]) -> str:
    """`changes_of(None, encoded(body))`, by one serialisation where nothing is to be left out."""
    told = {name: {"after": value} for name, value in body.items() if value is not None and name not in _TOLD_BESIDE}
    text = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    if len(text) > MAX_VALUE_BYTES or any(map(names_secret, told)):
        return changes_of(None, encoded(body))
    return text.decode()


def _tell(change: dict[str, object], side: str, name: str, value: bytes) -> None:
    if names_secret(name):
        change[f"{side}_omitted"] = {"reason": "secret"}
    elif len(value) > MAX_VALUE_BYTES:
        digest = hashlib.sha256(value).hexdigest()
        change[f"{side}_omitted"] = {"reason": "long", "bytes": len(value), "sha256": digest}
    else:
        change[side] = orjson.Fragment(value)
