"""Fixed statements in PostgreSQL's own words, for the paths on which SQLAlchemy's share of the time would show."""

import re
from collections.abc import Mapping
from typing import Any, Final

_NAMED: Final = re.compile(r"(?<![:\w]):([a-z_]\w*)")


class Sql:
    """`:name` stands for a value; PostgreSQL must see its type, from its place or from `cast(:name as …)`.

    The text must be written by us: nothing is escaped in it.
    """

    def __init__(self, text: str) -> None:
        self._names: list[str] = []
        self.query: Final = _NAMED.sub(self._number, text)
        """As the driver takes it, with `$1`, `$2` …"""

    def _number(self, found: re.Match[str]) -> str:
        name = found[1]
        if name not in self._names:
            self._names.append(name)
        return f"${self._names.index(name) + 1}"

    def arguments(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values in the order of their numbers. Raises KeyError for one that is missing."""
        return tuple(values[name] for name in self._names)
