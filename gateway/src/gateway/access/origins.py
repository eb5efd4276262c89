"""Origins (RFC 6454): how one is spelled, and which tenants allow which, in memory."""

import asyncio
import math
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog
from crm_kit.observability.recurring import Recurring
from crm_kit.siblings import Siblings

REFRESH_SECONDS: Final = 5.0
"""How long an origin that was allowed or forbidden elsewhere may take to count here."""

PATTERN: Final = r"^[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$"
_DEFAULT_PORT: Final = re.compile(r"^(http://.*):80$|^(https://.*):443$")

FetchAllowed = Callable[[], Awaitable[Iterable[tuple[str, str]]]]
"""Every allowed origin with the tenant that allows it."""

log = structlog.get_logger(__name__)


def normalise(origin: str) -> str:
    """As a browser sends it: in lower case, without the port that its scheme implies."""
    lowered = origin.lower()
    match = _DEFAULT_PORT.match(lowered)
    return (match.group(1) or match.group(2)) if match else lowered


class AllowedOrigins:
    """Asked with every request of a browser, and so never waits for the database. What one of `siblings` has read, all know."""

    def __init__(
        self, fetch: FetchAllowed, clock: Callable[[], float] = time.monotonic, siblings: Siblings | None = None
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._tenants: dict[str, frozenset[str]] = {}
        self._read_at = -math.inf
        self._fault = Recurring()
        self._tell = (siblings or Siblings()).channel("allowed-origins", self._hear, lambda: None)

    def allows(self, origin: str, tenant_id: str | None) -> bool:
        """Whether the tenant allows it; any tenant, where nobody knows whose request it is."""
        tenants = self._tenants.get(origin)
        return tenants is not None and (tenant_id is None or tenant_id in tenants)

    async def refresh(self) -> None:
        read_at = self._clock()
        tenants: defaultdict[str, set[str]] = defaultdict(set)
        for origin, tenant_id in await self._fetch():
            tenants[origin].add(tenant_id)
        known, found = self._tenants, {origin: frozenset(allowing) for origin, allowing in tenants.items()}
        self._hear((read_at, found))
        if found != known:
            self._tell((read_at, found))

    def _hear(self, told: tuple[float, dict[str, frozenset[str]]]) -> None:
        """The newest counts, whoever has read it."""
        if told[0] >= self._read_at:
            self._read_at, self._tenants = told

    async def run(self) -> None:
        """Refreshes until cancelled; while the database is away what was known stays."""
        while True:
            try:
                await self.refresh()
                self._fault.is_over()
            except Exception as error:
                if self._fault.is_news(type(error).__name__):
                    log.warning("origins_not_refreshed", error=str(error), kind=type(error).__name__)
            await asyncio.sleep(REFRESH_SECONDS)
