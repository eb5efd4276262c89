"""Which events an endpoint is told of: patterns of kinds. Pure."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from crm_contracts.registry import TOPICS, Topic

KIND_PATTERN: Final = r"^(\*|[a-z*][a-z0-9_*]*(\.[a-z0-9_*]+){1,4})$"
"""`contact.created`, `deal.*`, `crm.pipeline.*`, `crm.tickets.ticket.solved.v1`, `*`."""


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """`*` stands for whatever there is; what does not begin with `crm.` is `<entity>.<action>`, of whatever service and version."""
    inner = re.escape(pattern).replace(r"\*", ".*")
    if pattern == "*" or pattern.startswith("crm."):
        return re.compile(inner)
    return re.compile(rf"crm\.[^.]+\.{inner}(\.v[0-9]+)?")


def is_meant(kinds: Sequence[str], event_type: str) -> bool:
    """Whether one of the patterns is of this type of event."""
    return any(_expression(pattern).fullmatch(event_type) for pattern in kinds)


def topics_meant(kinds: Sequence[str]) -> list[Topic]:
    """Those of whose events some may be meant, in one order."""
    return [topic for topic in TOPICS if any(is_meant(kinds, one) for one in topic.event_types)]


def unknown_kinds(kinds: Iterable[str]) -> list[int]:
    """The places of patterns that no event of this release is of."""
    return [place for place, pattern in enumerate(kinds) if not topics_meant([pattern])]
