"""The sources that were lately heard of, with their secrets opened: a delivery costs no look-up. What one process of a port has
looked up, all know.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from crm_contracts.inbound import InboundSource
from crm_kit.siblings import Siblings

_REMEMBERED_SECONDS: Final = 5.0
_ANEW_SECONDS: Final = 0.2
_MOST: Final = 5_000


@dataclass(frozen=True, slots=True)
class KnownSource:
    """`secrets`: the one that counts, and the one before. `previous_until`: how long that counts too."""

    tenant_id: str
    region: str
    source: InboundSource
    secrets: tuple[dict[str, Any], ...]
    previous_until: datetime | None

    def valid_secrets(self, now: datetime) -> list[dict[str, Any]]:
        if self.previous_until is not None and now >= self.previous_until:
            return list(self.secrets[:1])
        return list(self.secrets)


Find = Callable[[str], Awaitable[KnownSource | None]]


class KnownSources:
    """A source that is not there is remembered as well: asking for many that are not costs the database no more than that."""

    def __init__(self, find: Find, clock: Callable[[], float], siblings: Siblings | None = None) -> None:
        self._find = find
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, KnownSource | None]] = OrderedDict()
        self._tell = (siblings or Siblings()).channel("inbound-sources", self._keep, self._known.clear)

    async def get(self, source_id: str, *, anew: bool = False) -> KnownSource | None:
        """`anew`: what is remembered does not fit, and may have changed since; it is looked up at most five times a second."""
        now = self._clock()
        kept = self._known.get(source_id)
        if kept is not None and kept[0] > now + (_REMEMBERED_SECONDS - _ANEW_SECONDS if anew else 0.0):
            return kept[1]
        found = await self._find(source_id)
        told = (source_id, now + _REMEMBERED_SECONDS, found)
        self._keep(told)
        self._tell(told)
        return found

    def _keep(self, told: tuple[str, float, KnownSource | None]) -> None:
        """The newest counts, whoever looked it up."""
        source_id, until, found = told
        if self._known.get(source_id, (0.0, None))[0] > until:
            return
        self._known[source_id] = (until, found)
        self._known.move_to_end(source_id)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    @property
    def remembered(self) -> int:
        return len(self._known)
