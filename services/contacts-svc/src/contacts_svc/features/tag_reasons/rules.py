"""How the values of conditions and contacts are told. Pure."""

from datetime import timedelta
from typing import Any

from pydantic_core import to_jsonable_python


def spelled(value: Any) -> Any:
    """As JSON; a length of time as conditions have it."""
    if isinstance(value, timedelta):
        minutes = round(value.total_seconds() / 60)
        for unit, length in (("d", 24 * 60), ("h", 60)):
            if minutes % length == 0:
                return f"{minutes // length}{unit}"
        return f"{minutes}m"
    return to_jsonable_python(value)
