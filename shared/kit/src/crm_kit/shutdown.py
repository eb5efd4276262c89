"""How a process ends: it says so first, finishes what it has in hand, and keeps within its bounds."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Shutdown:
    """When this process was asked to end, and how long it may still take.

    For `delay` seconds it goes on answering but says that it is not ready, so that load balancers look elsewhere; then
    it stops listening and has `grace` seconds to finish.
    """

    def __init__(self, *, delay: float, grace: float) -> None:
        self._delay = delay
        self._grace = grace
        self._asked_at: float | None = None

    @property
    def asked(self) -> bool:
        return self._asked_at is not None

    def ask(self) -> None:
        """From the signal handler. Who asks again does not want to wait for load balancers."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        else:
            self._delay = min(self._delay, time.monotonic() - self._asked_at)

    @property
    def is_due(self) -> bool:
        """The delay is over: stop listening."""
        return self._asked_at is not None and time.monotonic() >= self._asked_at + self._delay

    def left(self) -> float:
        """Seconds of the grace period that remain; all of them where nobody asked."""
        if self._asked_at is None:
            return self._grace
        return max(0.0, self._asked_at + self._delay + self._grace - time.monotonic())


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` to its end though the caller be cancelled meanwhile; only then the cancellation takes effect.

    A second cancellation reaches `work` itself: the patience is over.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            if cancelled is not None:
                task.cancel()
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # looked at, or asyncio would complain; whoever comes next repeats what failed
    raise cancelled


async def end_tasks(tasks: list["asyncio.Task[None]"], seconds: float) -> None:
    """Cancels them and waits: first for what they `finish`, after `seconds` no more."""
    for patience in (max(seconds, 0.1), 0.5):
        pending = [task for task in tasks if not task.done()]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=patience)
