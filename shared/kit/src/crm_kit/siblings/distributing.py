"""Connections of one port, given out by the process that accepts them to whichever has fewest, itself included.

A listening socket that all share would be emptied by one; SO_REUSEPORT divides by a hash, and leaves in the queue of a process what
came before that one died.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from crm_kit.siblings.siblings import Siblings

CONNECTION: Final = b"c"

_AT_ONCE: Final = 64
_PAUSE_SECONDS: Final = 1.0
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = structlog.get_logger(__name__)


class Connections:
    """Of each process how many connections it has open, and how many it was given in all: for all to see, as of its last word."""

    def __init__(self, siblings: Siblings) -> None:
        self._own = siblings.index
        self._counts = siblings.region("siblings: connections", 16 * siblings.count).cast("q")
        self._given = [0] * siblings.count

    def tell(self, opened: int, taken: int) -> None:
        """Of this process: what it has open, and what it has got from the first."""
        self._counts[2 * self._own] = opened
        self._counts[2 * self._own + 1] = taken

    def given(self, index: int) -> None:
        self._given[index] += 1

    def of(self, index: int) -> int:
        """What it has open and what is on its way to it."""
        return self._counts[2 * index] + self._given[index] - self._counts[2 * index + 1]


class Distributor:
    """Of the first process. `serving`: the others that take connections; `keep` is given those that stay here, `kept` counts them."""

    def __init__(
        self,
        siblings: Siblings,
        listener: socket.socket,
        serving: Callable[[], Iterable[int]],
        keep: Callable[[socket.socket], None],
        kept: Callable[[], int],
    ) -> None:
        self._siblings = siblings
        self._listener = listener
        self._serving = serving
        self._keep = keep
        self._kept = kept
        self._connections = Connections(siblings)
        self._last = 0

    def start(self, backlog: int) -> None:
        self._listener.setblocking(False)
        self._listener.listen(backlog)
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def stop(self) -> None:
        """What has connected by now is still taken."""
        asyncio.get_running_loop().remove_reader(self._listener)
        self._accept()
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(error)
                return
            self._give(connection)

    def _give(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        index = self._next()
        if index and self._siblings.send(index, CONNECTION, connection):
            self._connections.given(index)
            connection.close()  # the other has it
        else:
            self._keep(connection)

    def _next(self) -> int:
        """Of those that have fewest, the one after whoever had its turn last."""
        count, last = self._siblings.count, self._last

        def order(index: int) -> tuple[int, int]:
            return (self._connections.of(index) if index else self._kept(), (index - last - 1) % count)

        self._last = min({0, *self._serving()}, key=order)
        return self._last

    def _pause(self, error: OSError) -> None:
        """As asyncio does: there would be no end of trying."""
        log.error("connections_not_accepted", error=str(error))
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        loop.call_later(_PAUSE_SECONDS, self._again)

    def _again(self) -> None:
        if self._listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)
