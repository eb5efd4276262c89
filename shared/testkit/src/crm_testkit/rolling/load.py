"""Clients that come and go: each writes for a while over its own connections, then another takes its place."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from crm_testkit.chaos.clients import Writer
from crm_testkit.chaos.history import History, Refusal
from crm_testkit.chaos.mailings import Mailings
from crm_testkit.chaos.observed import Told
from crm_testkit.chaos.stack import ChaosStack

_VISIT_SECONDS: Final = 1.5
_REST_SECONDS: Final = 0.3
"""The machine also starts processes, and all that was written is read again at the end."""
_ATTEMPT_SECONDS: Final = 30.0
"""An answer that comes late on a busy machine is an answer."""


class Load:
    """Writers of several tenants, each with a history, by key."""

    def __init__(self, stack: ChaosStack) -> None:
        self._stack = stack
        self._shared: dict[str, list[str]] = {}
        self.told: dict[str, Told] = {}

    async def open(self, tenants: int) -> None:
        for _ in range(tenants):
            tenant_id, key = await self._stack.new_tenant()
            self.told[key] = Told(History(tenant_id), Mailings(tenant_id))
            self._shared[key] = []

    def busiest(self, key: str) -> list[str]:
        """The contacts that all writers of the tenant change."""
        return list(self._shared[key])

    @property
    def acknowledged(self) -> int:
        return sum(each.history.acknowledged for each in self.told.values())

    @property
    def refusals(self) -> list[Refusal]:
        return [refusal for each in self.told.values() for refusal in each.history.refusals]

    @property
    def faults(self) -> list[str]:
        """Requests that were not answered, or by an error of ours."""
        unanswered = [what for each in self.told.values() for what in each.history.unanswered]
        return unanswered + [refusal.what for refusal in self.refusals if refusal.is_ours]

    @asynccontextmanager
    async def writing(self, name: str, writers: int) -> AsyncIterator[None]:
        """So many writers of each tenant write while the block lasts; then they finish what they have begun."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for place, key in enumerate(self.told):
                for number in range(writers):
                    group.create_task(self._visits(key, f"{name}/{place}/{number}", stop))
            try:
                yield
            finally:
                stop.set()

    async def _visits(self, key: str, name: str, stop: asyncio.Event) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            over = asyncio.Event()
            asyncio.get_running_loop().call_later(_VISIT_SECONDS, over.set)
            history = self.told[key].history
            seed = f"{name}/{number}"
            where = (self._stack.public_url, key, history, self._shared[key])
            await Writer(*where, seed, over, rest=_REST_SECONDS, attempt=_ATTEMPT_SECONDS).run()

    async def until_written(self, writes: int) -> None:
        """Waits for so many more acknowledged writes. Raises TimeoutError."""
        wanted = self.acknowledged + writes
        async with asyncio.timeout(120):
            while self.acknowledged < wanted:
                await asyncio.sleep(0.05)
