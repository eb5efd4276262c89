"""Quotas that hold over all gateway processes: each tells the database now and then what it let pass."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog
from crm_kit.observability.recurring import Recurring

from gateway.access.rate_limit import RateLimiter

SETTLE_SECONDS: Final = 1.0
"""So long the processes together may let pass what each of them would alone."""

Settle = Callable[[Mapping[tuple[str, str], int], int, float], Awaitable[Iterable[tuple[str, str, float]]]]
"""From what was spent, by tenant and subject, with quota and rate, to what is left to all processes."""

log = structlog.get_logger(__name__)


class SharedLimits:
    """While the database is away each process counts for itself."""

    def __init__(self, limiters: Sequence[RateLimiter], settle: Settle) -> None:
        self._limiters = limiters
        self._settle = settle
        self._fault = Recurring()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            try:
                await self.settle()
                self._fault.is_over()
            except Exception as error:
                if self._fault.is_news(type(error).__name__):
                    log.warning("limits_not_shared", error=str(error), kind=type(error).__name__)

    async def settle(self) -> None:
        for limiter in self._limiters:
            if spent := limiter.collect():
                for tenant_id, subject, level in await self._settle(spent, limiter.quota, limiter.rate):
                    limiter.settle(tenant_id, subject, level, 2 * SETTLE_SECONDS)
