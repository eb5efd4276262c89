"""What a request meets while its process is not yet, or no longer, able to answer. Pure ASGI."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crm_kit.errors import Text, Unavailable
from crm_kit.http.problems import problem_response

OPERATIONS = frozenset({"/healthz", "/readyz", "/metrics"})

STOPPED: Final = Text(
    "The service is being stopped. It may have been done: repeat it with the same Idempotency-Key.",
    "服务正在停止，操作可能已完成：请使用相同的 Idempotency-Key 重试。",
)
"""To whom is cut off at the end of the grace period."""


class LifecycleMiddleware:
    """`serves`: whether the database has its tables. `ending`: whether this process was asked to end."""

    def __init__(self, app: ASGIApp, *, serves: Callable[[], bool], ending: Callable[[], bool]) -> None:
        self._app = app
        self._serves = serves
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (self._serves() and not self._ending()):
            await self._run(scope, receive, send)
        elif self._serves() or scope["path"] in OPERATIONS:
            await self._run(scope, receive, _closing(send))
        else:
            detail = Text("The service is starting; try again.", "服务正在启动，请重试。")
            await _unavailable(detail, scope, receive, send)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            # uvicorn cancels what outlasts the grace period, and would answer 500 in plain text.
            if started or not self._ending():
                raise
            await _unavailable(STOPPED, scope, receive, send)


async def _unavailable(detail: Text, scope: Scope, receive: Receive, send: Send) -> None:
    response = problem_response(Unavailable(detail, headers={"Retry-After": "1"}), scope)
    await response(scope, receive, _closing(send))


def _closing(send: Send) -> Send:
    """Tells the client to open its next connection elsewhere, so that none is cut as it is used again."""

    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
        await send(message)

    return closing
