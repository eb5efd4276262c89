"""Look-ups by key, gathered: those that come while a statement is under way go together with the next one.

No timer: a look-up that is alone goes at once. Every answer is read after it was asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Final, Generic, TypeVar

_AT_ONCE: Final = 2
"""Statements of one tenant under way: while PostgreSQL works on one, the answers of the other go out."""

_TOGETHER: Final = 100

RowT = TypeVar("RowT")

FetchMany = Callable[[str, Sequence[str]], Awaitable[Mapping[str, RowT]]]
"""From a tenant and keys to what is there of them, by key; one round trip."""


class GatheredReads(Generic[RowT]):
    """Of one process, for each tenant by itself: none waits behind another's."""

    def __init__(self, fetch: FetchMany[RowT]) -> None:
        self._fetch = fetch
        self._waiting: dict[str, dict[str, list[asyncio.Future[RowT | None]]]] = {}
        self._under_way: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, tenant_id: str, key: str) -> RowT | None:
        """Raises what the statement raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[RowT | None] = loop.create_future()
        self._waiting.setdefault(tenant_id, {}).setdefault(key, []).append(future)
        under_way = self._under_way.get(tenant_id, 0)
        if under_way < _AT_ONCE:
            self._under_way[tenant_id] = under_way + 1
            task = loop.create_task(self._run(tenant_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _run(self, tenant_id: str) -> None:
        """Until nothing of the tenant waits any more."""
        try:
            while waiting := self._waiting.get(tenant_id):
                if len(waiting) > _TOGETHER:
                    together = {key: waiting.pop(key) for key in list(islice(waiting, _TOGETHER))}
                else:
                    together = self._waiting.pop(tenant_id)
                await self._answer(tenant_id, together)
        finally:
            self._under_way[tenant_id] -= 1
            if not self._under_way[tenant_id]:
                del self._under_way[tenant_id]

    async def _answer(self, tenant_id: str, asked: Mapping[str, Sequence["asyncio.Future[RowT | None]"]]) -> None:
        try:
            rows = await self._fetch(tenant_id, list(asked))
        except BaseException as error:
            for futures in asked.values():
                for future in futures:
                    if not future.done():  # whoever asked may have gone
                        future.set_exception(error if isinstance(error, Exception) else ConnectionError("cancelled"))
            if not isinstance(error, Exception):
                raise
            return
        for key, futures in asked.items():
            row = rows.get(key)
            for future in futures:
                if not future.done():
                    future.set_result(row)
