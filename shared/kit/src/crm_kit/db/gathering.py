"""What many ask of PostgreSQL at once, gathered: what comes while a statement is under way goes together with the next one.

No timer: who is alone goes at once. Every answer is of a statement that began after it was asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, TypeVar

_TOGETHER: Final = 100
_TURNS: Final = 3
"""Of the loop, before the next statement: those who were answered send their answers, and who asks meanwhile is read and joins."""

PlaceT = TypeVar("PlaceT", bound=Hashable)
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
RowT = TypeVar("RowT")

FetchMany = Callable[[str, Sequence[str]], Awaitable[Mapping[str, RowT]]]
"""From a tenant and keys to what is there of them, by key; one round trip."""


class Gathering(Generic[PlaceT, ItemT, ResultT]):
    """Of one process. What is gathered is of one place, which names the tenant: none waits behind another's.

    `run`: from a place and items to one result for each, in their order. `at_once`: statements of one place under way.
    """

    def __init__(self, run: Callable[[PlaceT, Sequence[ItemT]], Awaitable[Sequence[ResultT]]], *, at_once: int) -> None:
        self._run_together = run
        self._at_once = at_once
        self._waiting: dict[PlaceT, list[tuple[ItemT, asyncio.Future[ResultT]]]] = {}
        self._under_way: dict[PlaceT, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, place: PlaceT, item: ItemT) -> ResultT:
        """Raises what `run` raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ResultT] = loop.create_future()
        self._waiting.setdefault(place, []).append((item, future))
        under_way = self._under_way.get(place, 0)
        if under_way < self._at_once:
            self._under_way[place] = under_way + 1
            task = loop.create_task(self._run(place))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _run(self, place: PlaceT) -> None:
        """Until nothing of the place waits any more."""
        try:
            while waiting := self._waiting.pop(place, None):
                if len(waiting) > _TOGETHER:
                    self._waiting[place] = waiting[_TOGETHER:]
                    waiting = waiting[:_TOGETHER]
                await self._answer(place, waiting)
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
        finally:
            self._under_way[place] -= 1
            if not self._under_way[place]:
                del self._under_way[place]

    async def _answer(self, place: PlaceT, asked: Sequence[tuple[ItemT, "asyncio.Future[ResultT]"]]) -> None:
        try:
            results = await self._run_together(place, [item for item, _ in asked])
        except BaseException as error:
            for _, future in asked:
                if not future.done():  # whoever asked may have gone
                    future.set_exception(error if isinstance(error, Exception) else ConnectionError("cancelled"))
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(asked, results, strict=True):
            if not future.done():
                future.set_result(result)


class GatheredReads(Generic[RowT]):
    """Look-ups by key, of each tenant one statement at a time: two would each have half as many, cost PostgreSQL twice as much
    and answer nobody sooner.
    """

    def __init__(self, fetch: FetchMany[RowT]) -> None:
        self._fetch = fetch
        self._gathering: Gathering[str, str, RowT | None] = Gathering(self._fetch_all, at_once=1)

    def get(self, tenant_id: str, key: str) -> Awaitable[RowT | None]:
        """Raises what the statement raises."""
        return self._gathering.ask(tenant_id, key)

    async def _fetch_all(self, tenant_id: str, keys: Sequence[str]) -> Sequence[RowT | None]:
        rows = await self._fetch(tenant_id, list(dict.fromkeys(keys)))
        return [rows.get(key) for key in keys]
