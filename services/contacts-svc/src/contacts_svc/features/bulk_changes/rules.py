"""What a bulk change makes of a record, and which records it is for. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

BulkAction = Literal["update", "tag", "archive", "restore", "delete"]

NEEDS: Final[Mapping[BulkAction, Literal["update", "delete"]]] = {
    "update": "update",
    "tag": "update",
    "archive": "update",
    "restore": "update",
    "delete": "delete",
}
"""The action that the caller must be allowed."""


def tagged(tags: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> list[str]:
    """The tags in their order, without those that go, and behind them those that come; each once."""
    kept = [tag for tag in tags if tag not in remove]
    return list(dict.fromkeys([*kept, *(tag for tag in add if tag not in remove)]))


def condition_for(action: BulkAction, where: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is restored is archived; everything else leaves the archived out, as a search does."""
    if action != "restore":
        return where
    return {"all": [where, {"field": "archived", "op": "eq", "value": True}]}
