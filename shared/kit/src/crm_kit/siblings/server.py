"""uvicorn over several processes: the first listens and ends the others in order."""

import asyncio
import socket
import time
from collections.abc import Iterable
from types import FrameType
from typing import Final

import structlog
from fastapi import FastAPI

from crm_kit.http.protocol import Protocol
from crm_kit.runtime import Runtime
from crm_kit.serving import Server
from crm_kit.siblings.distributing import CONNECTION, Connections, Distributor

ENDING: Final = b"e"
"""From the first: it was asked to end."""

LAST: Final = b"l"
"""From the first: there comes no other connection."""

FORCED: Final = b"f"
"""From the first: somebody does not want to wait."""

_CLOSING_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.02
_LINGER_SECONDS: Final = 0.1
"""Between a connection and its first request: uvicorn closes those of which it has read none."""

log = structlog.get_logger(__name__)


class _Sibling(Server):
    """What all of them have: they take connections that somebody else has accepted."""

    def __init__(self, app: FastAPI, runtime: Runtime) -> None:
        super().__init__(app, runtime)
        self._siblings = runtime.siblings
        self._taking: set[asyncio.Task[tuple[asyncio.BaseTransport, asyncio.BaseProtocol]]] = set()

    @property
    def _open(self) -> int:
        return len(self.server_state.connections) + len(self._taking)

    def _take_connection(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            return Protocol(self.config, self.server_state, self.lifespan.state, loop)

        task = loop.create_task(loop.connect_accepted_socket(protocol, connection))
        self._taking.add(task)
        task.add_done_callback(lambda _: self._taken(task, connection))

    def _taken(
        self, task: "asyncio.Task[tuple[asyncio.BaseTransport, asyncio.BaseProtocol]]", connection: socket.socket
    ) -> None:
        self._taking.discard(task)
        if task.cancelled() or task.exception() is not None:  # its client has left by now
            connection.close()

    async def on_tick(self, counter: int) -> bool:
        self._siblings.hear()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(_LINGER_SECONDS)
        await super().shutdown(sockets)


class FirstServer(_Sibling):
    """Listens, and is the one that is asked to end. Where another ends by itself, the whole is to be started anew."""

    _distributor: Distributor | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        listener = self.config.bind_socket()
        listener.set_inheritable(False)
        self._siblings.open(lambda _kind, _handed: None, self._gone)
        await super().startup(sockets or [])
        self._distributor = Distributor(
            self._siblings, listener, self._serving, self._take_connection, lambda: self._open
        )
        self._distributor.start(self.config.backlog)

    def _serving(self) -> Iterable[int]:
        return self._siblings.serving if self._runtime.serves else ()

    def _gone(self, _index: int) -> None:
        if not self.should_exit:
            self._runtime.failure = "one of the processes that answer at its port has ended"
            self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._tell(FORCED if self.force_exit else ENDING)

    def _tell(self, kind: bytes) -> None:
        for index in self._siblings.others:
            self._siblings.send(index, kind)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._distributor is not None:
            self._distributor.stop()
        self._tell(LAST)
        await super().shutdown(sockets)
        end = time.monotonic() + self._runtime.shutdown.left() + _CLOSING_SECONDS
        while self._siblings.others and time.monotonic() < end and not self.force_exit:
            await asyncio.sleep(_LOOK_SECONDS)
        if self._siblings.others:
            log.warning("siblings_killed", processes=len(self._siblings.others))


class OtherServer(_Sibling):
    """Takes what the first gives out, and ends when that says so: signals are the first's."""

    def __init__(self, app: FastAPI, runtime: Runtime) -> None:
        super().__init__(app, runtime)
        self._connections = Connections(runtime.siblings)
        self._given = 0
        self._was_last = False

    @property
    def is_due(self) -> bool:
        return self._was_last

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._siblings.open(self._take, lambda _index: None)
        await super().startup(sockets or [])
        self._siblings.serve()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ctrl-C reaches the whole group, and some supervisors signal all: once is enough."""

    def _take(self, kind: bytes, handed: socket.socket | None) -> None:
        if kind == CONNECTION and handed is not None:
            self._given += 1
            self._take_connection(handed)
            self._count()
        elif kind in (ENDING, LAST, FORCED):
            self._runtime.shutdown.ask()
            self._was_last |= kind != ENDING
            self.force_exit |= kind == FORCED

    def _count(self) -> None:
        self._connections.tell(self._open, self._given)

    async def on_tick(self, counter: int) -> bool:
        self._count()
        return await super().on_tick(counter)
