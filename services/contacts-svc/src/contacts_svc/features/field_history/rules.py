"""What an audit entry says of a field, and where the change came from. Pure."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

SourceKind = Literal["api", "import", "bulk_change", "merge", "rule", "event", "job"]

_MERGES: Final = frozenset({"merged", "unmerged"})
_KINDS: Final[Mapping[str, SourceKind]] = {
    "import": "import",
    "import_revert": "import",
    "bulk_change": "bulk_change",
    "duplicate_scan": "merge",
}
"""Of jobs."""


class Said(NamedTuple):
    """The value that a field had from then on. `is_omitted`: the log keeps none, since it was long."""

    value: Any
    is_omitted: bool = False


class Source(NamedTuple):
    """Where a change came from; `id`: of the import or bulk change, or of another job."""

    kind: SourceKind
    id: str | None = None


def said_of(changes: Mapping[str, Mapping[str, Any]], field: str) -> Said | None:
    """None where the entry says nothing of it. `custom.<name>` is one of the values under `custom`."""
    member, _, name = field.partition(".")
    change = changes.get(member)
    if change is None or not change.keys() & {"after", "after_omitted"}:
        return None
    if not name:
        return Said(change.get("after"), "after_omitted" in change)
    if "after_omitted" in change or "before_omitted" in change:
        after = (change.get("after") or {}).get(name)
        return Said(after, "after_omitted" in change)
    before, after = ((change.get(side) or {}).get(name) for side in ("before", "after"))
    return Said(after) if before != after else None


def source_of(
    action: str, via: str, request_id: str, version: int | None, jobs: Mapping[str, tuple[str, str]]
) -> Source:
    """`jobs`: kind and subject of jobs by their ids. What was created and is no first version was put back by an undoing."""
    kind, about = jobs.get(request_id, (None, None))
    if kind is not None:
        return Source(_KINDS.get(kind, "job"), about)
    if action in _MERGES or (action == "created" and version != 1):
        return Source("merge")
    if via == "rule":
        return Source("rule")
    if via == "event":
        return Source("event")
    return Source("rule" if request_id.startswith("timer-") else "api")
