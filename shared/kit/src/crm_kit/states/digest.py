"""One short text for all that an entity says."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson


def digest_of(entity: Mapping[str, Any]) -> str:
    """Equal for entities whose JSON says the same, whatever the order of its members.

    Members that are null or empty are left out: a copy that was made before a release added such a member lacks it.
    """
    said = {name: value for name, value in entity.items() if value is not None and value not in ([], {}, "")}
    return hashlib.blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
