"""Bounds of validation rules, and what breaks one as a condition. Pure."""

from collections.abc import Mapping
from typing import Any, Final

MAX_ACTIVE: Final = 100
"""Of one resource."""


def breaking(condition: Mapping[str, Any], when: Mapping[str, Any] | None) -> dict[str, Any]:
    """The condition of the records that break a rule."""
    broken = {"not": condition}
    return {"all": [when, broken]} if when is not None else broken
