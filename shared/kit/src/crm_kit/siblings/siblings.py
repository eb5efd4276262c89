"""The processes of one port as one of them knows the others: what they know together, and a line to each."""

import asyncio
import gc
import multiprocessing
import os
import pickle
import signal
import socket
from collections.abc import Awaitable, Callable
from itertools import combinations
from multiprocessing.process import BaseProcess
from typing import Any, Final, NamedTuple

import structlog

from crm_kit.siblings.bulletin import Bulletin
from crm_kit.siblings.memory import Arena, Guard, unguarded

_ARENA_BYTES: Final = 48 * 1024 * 1024
"""Of addresses: memory it takes as it is written."""

_BULLETIN_BYTES: Final = 4 * 1024 * 1024
"""Seconds of the most that is ever told; whoever is away for longer than that answers nobody meanwhile."""

_ASKING_SECONDS: Final = 1.5
_READ_BYTES: Final = 256 * 1024
_KILLED_SECONDS: Final = 2.0

WAKE: Final = b"w"
SERVING: Final = b"s"

Tell = Callable[[Any], None]
Answer = Callable[[], Awaitable[bytes]]
Take = Callable[[bytes, socket.socket | None], None]
Gone = Callable[[int], None]

log = structlog.get_logger(__name__)


class _Channel(NamedTuple):
    heard: Callable[[Any], None]
    lost: Callable[[], None]


class Siblings:
    """`count` processes, this one being number `index`; the first is 0, which forks the others and was started by somebody else.

    Where there is one alone everything here costs nothing and does nothing.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self.index = 0
        self.guard = Guard() if count > 1 else unguarded()
        self._arena = Arena(_ARENA_BYTES, self.guard) if count > 1 else None
        self._bulletin: Bulletin | None = None
        self._woken: memoryview | None = None
        self._channels: dict[str, _Channel] = {}
        self._links: dict[int, socket.socket] = {}
        self._processes: list[BaseProcess] = []
        self._answers: dict[bytes, Answer] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._take: Take = lambda _kind, _handed: None
        self._gone: Gone = lambda _index: None
        self.serving: frozenset[int] = frozenset()
        """Those of the others that have said that they serve; only the first is told."""

    @property
    def is_alone(self) -> bool:
        return self.count == 1

    @property
    def is_first(self) -> bool:
        return self.index == 0

    def region(self, name: str, size: int) -> memoryview:
        """Memory that all of them have, by name, all zero at first. Whoever changes there what others change too holds `guard`."""
        return (self._arena or Arena(size, unguarded())).region(name, size)

    # What they know together

    def channel(self, name: str, heard: Callable[[Any], None], lost: Callable[[], None]) -> Tell:
        """A way to tell the others by the same name what pickle can hold: before a client has its answer. They hear it before
        they look at their next request. `lost`: something was told that cannot be heard any more.
        """
        self._channels[name] = _Channel(heard, lost)

        def tell(what: Any) -> None:
            if self._bulletin is not None:
                self._bulletin.tell(pickle.dumps((name, what), pickle.HIGHEST_PROTOCOL))

        return tell

    def hear(self) -> None:
        """What the others have told; for every request, and now and then."""
        if self._bulletin is None or not self._bulletin.is_news:
            return
        for message in self._bulletin.hear():
            try:
                self._understand(message)
            except Exception:  # what was told next is heard all the same
                log.exception("sibling_not_understood")

    def _understand(self, message: bytes) -> None:
        if not message:
            log.warning("siblings_not_heard")
            for channel in self._channels.values():
                channel.lost()
            return
        name, what = pickle.loads(message)  # noqa: S301  # written by another process of this very program, in memory of its own
        if (known := self._channels.get(name)) is not None:
            known.heard(what)

    def wake(self) -> None:
        """They hear it now, though nobody asks them anything."""
        for index in self._links:
            assert self._woken is not None
            if not self._woken[index]:
                self._woken[index] = 1
                self.send(index, WAKE)

    # How they begin and end

    def fork(self, run: Callable[[], None]) -> None:
        """The others: each calls `run` and ends. Before there is a thread or an event loop."""
        if self.is_alone:
            return
        assert self._arena is not None
        self._woken = self._arena.region("siblings: woken", self.count)
        self._bulletin = Bulletin(self._arena.region("siblings: bulletin", _BULLETIN_BYTES), self.guard, self.index)
        pairs = {}
        for one, other in combinations(range(self.count), 2):
            pairs[one, other], pairs[other, one] = socket.socketpair()
        gc.collect()
        gc.freeze()  # a collection would write to every object, and so copy the page that it shares
        forking, parent = multiprocessing.get_context("fork"), os.getpid()
        for index in range(1, self.count):
            process = forking.Process(target=self._become, args=(index, pairs, parent, run), daemon=True)
            process.start()
            self._processes.append(process)
        self._keep_own(pairs)

    def _become(
        self, index: int, pairs: dict[tuple[int, int], socket.socket], parent: int, run: Callable[[], None]
    ) -> None:
        from crm_kit.db.processes import end_with_parent  # and with it psutil: who is alone loads none of it

        for signum in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches the whole group; the first decides
            signal.signal(signum, signal.SIG_IGN)
        if request := end_with_parent(signal.SIGKILL, parent):
            request()
        self.index = index
        self._processes = []
        assert self._arena is not None
        self._bulletin = Bulletin(self._arena.region("siblings: bulletin", _BULLETIN_BYTES), self.guard, index)
        self._keep_own(pairs)
        run()

    def _keep_own(self, pairs: dict[tuple[int, int], socket.socket]) -> None:
        """The others' ends are closed here, so that each end is closed when its process has ended."""
        for (index, other), link in pairs.items():
            if index == self.index:
                link.setblocking(False)
                self._links[other] = link
            else:
                link.close()

    def open(self, take: Take, gone: Gone) -> None:
        """From now on, in the running loop, `take` is given what others send, with the socket that they hand over; `gone` is told
        of each that has ended.
        """
        self._take, self._gone = take, gone
        for index, link in self._links.items():
            asyncio.get_running_loop().add_reader(link, self._read, index, link)

    def serve(self) -> None:
        """Tells the first that this one does."""
        self.send(0, SERVING)

    @property
    def is_whole(self) -> bool:
        """Whether all of them serve, as far as the first knows."""
        return len(self.serving) == self.count - 1 or not self.is_first

    def close(self) -> None:
        """Ends those of the others that have not ended, at once."""
        for link in self._links.values():
            link.close()
        self._links = {}
        for process in self._processes:
            process.join(0.1 if process.exitcode is None else 0)
            process.kill()
            process.join(_KILLED_SECONDS)

    # The line to each

    @property
    def others(self) -> list[int]:
        """Those that have not ended."""
        return list(self._links)

    def send(self, index: int, kind: bytes, handed: socket.socket | None = None) -> bool:
        """A byte, and a socket that is handed over with it. False where it is gone, or behind by hundreds."""
        try:
            socket.send_fds(self._links[index], [kind], [handed.fileno()] if handed is not None else [])
        except (OSError, KeyError):  # BlockingIOError is one, too
            return False
        return True

    def answer(self, kind: bytes, answer: Answer) -> None:
        """What this one says to others that `ask` so."""
        self._answers[kind] = answer

    async def ask(self, kind: bytes) -> dict[int, bytes | None]:
        """What each of the others answers; None for one that does not."""
        others = self.others
        answers = await asyncio.gather(*(self._ask(index, kind) for index in others))
        return {index: answer for index, answer in zip(others, answers, strict=True) if index in self._links}

    async def _ask(self, index: int, kind: bytes) -> bytes | None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop, parts = asyncio.get_running_loop(), []
        with ours:
            with theirs:
                if not self.send(index, kind, theirs):
                    return None
            try:
                async with asyncio.timeout(_ASKING_SECONDS):
                    while part := await loop.sock_recv(ours, _READ_BYTES):
                        parts.append(part)
            except (TimeoutError, OSError):
                return None
        return b"".join(parts)

    def _read(self, index: int, link: socket.socket) -> None:
        try:
            kind, handed, _flags, _address = socket.recv_fds(link, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            kind, handed = b"", []
        given = socket.socket(fileno=handed[0]) if handed else None
        if not kind:
            self._lose(index, link)
        elif kind == WAKE:
            assert self._woken is not None
            self._woken[self.index] = 0  # first: who tells something from now on sends another
            self.hear()
        elif kind == SERVING:
            self.serving |= {index}
        elif kind in self._answers and given is not None:
            task = asyncio.create_task(self._say(self._answers[kind], given))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        else:
            self._take(kind, given)

    async def _say(self, answer: Answer, asking: socket.socket) -> None:
        with asking:
            asking.setblocking(False)
            try:
                async with asyncio.timeout(_ASKING_SECONDS):
                    await asyncio.get_running_loop().sock_sendall(asking, await answer())
            except (TimeoutError, OSError) as error:
                log.warning("sibling_not_answered", kind=type(error).__name__)

    def _lose(self, index: int, link: socket.socket) -> None:
        if index == 0:
            os._exit(1)  # the first is gone, and with it the port
        asyncio.get_running_loop().remove_reader(link)
        link.close()
        self._links.pop(index, None)
        self.serving -= {index}
        self._gone(index)
