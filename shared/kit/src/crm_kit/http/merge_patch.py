"""JSON Merge Patch, RFC 7396: the format of every PATCH body.

`null` removes a member, an object is merged member by member, anything else replaces, arrays as a whole.
"""

from __future__ import annotations

from typing import Final

MEDIA_TYPE: Final = "application/merge-patch+json"
"""Goes into `Accept-Patch`; plain `application/json` is accepted as well."""
MAX_DEPTH: Final = 64
"""Objects within one another in a patch. `parse_json` keeps bodies within the same bound."""


class PatchTooDeep(ValueError):
    """The patch nests objects more than `MAX_DEPTH` deep."""


def apply(target: object, patch: object) -> object:
    """What `target` becomes by `patch` (RFC 7396, section 2). Changes neither; the result may share their
    parts.

    Raises PatchTooDeep.
    """
    return _merge(target, patch, MAX_DEPTH)


def _merge(target: object, patch: object, levels_left: int) -> object:
    if not isinstance(patch, dict):
        return patch
    if levels_left == 0:
        raise PatchTooDeep(f"A merge patch may nest objects {MAX_DEPTH} deep.")
    merged: dict[str, object] = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value, levels_left - 1)
    return merged
