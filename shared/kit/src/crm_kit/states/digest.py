"""One short text for all that an entity says."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson


def said(value: Any) -> Any:
    """The JSON without the members that are null or empty, at any depth.

    A copy that was made before a release added a member lacks it, and says the same (docs/adr/0014).
    """
    if isinstance(value, Mapping):
        members = {name: said(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member is not None and member not in ([], {}, "")}
    return [said(element) for element in value] if isinstance(value, list | tuple) else value


def digest_of(entity: Mapping[str, Any]) -> str:
    """Equal for entities whose JSON says the same, whatever the order of its members."""
    return hashlib.blake2b(orjson.dumps(said(entity), option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
