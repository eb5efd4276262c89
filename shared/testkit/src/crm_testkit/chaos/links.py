"""A connection that can be harmed: a proxy before a TCP port or a Unix socket."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

Harm = Literal["none", "latency", "throttle", "half-open", "cut"]

_CHUNK = 64 * 1024
_TICK = 0.02


class Link:
    """Forwards to `target`, a port of the loopback or a socket's path; also one that is not there yet.

    `latency`: every piece waits 50 to 150 ms. `throttle`: 200 kB a second. `half-open`: connections stay, and nothing
    comes through. `cut`: connections are refused. `reset` breaks those that are open, whatever the harm.
    """

    def __init__(self, target: int | Path, listen: Path | None = None) -> None:
        self._target = target
        self._listen = listen
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.harm: Harm = "none"

    @property
    def port(self) -> int:
        """Where it listens, of a TCP link."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        if self._listen is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        else:
            self._server = await asyncio.start_unix_server(self._accept, str(self._listen))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.reset()
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def reset(self) -> None:
        """Every open connection breaks off, in the middle of whatever it carries."""
        for writer in list(self._open):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.harm == "cut":
            writer.transport.abort()
            return
        try:
            there, back = await self._reach()
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}

        def ended(task: "asyncio.Task[None]") -> None:
            self._pumps.discard(task)
            self._open.difference_update((writer, back))

        pump = asyncio.ensure_future(_both(self._pump(reader, back), self._pump(there, writer), (writer, back)))
        self._pumps.add(pump)
        pump.add_done_callback(ended)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the target. Raises OSError."""
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(str(self._target))
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A killed end is a reset, not an end of file: whoever is on the other side must hear of it too."""
        try:
            while piece := await reader.read(_CHUNK):
                await self._suffer(len(piece))
                writer.write(piece)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            writer.transport.abort()

    async def _suffer(self, size: int) -> None:
        while self.harm in ("half-open", "cut"):
            await asyncio.sleep(_TICK)
        if self.harm == "latency":
            await asyncio.sleep(0.05 + size % 11 / 110)
        elif self.harm == "throttle":
            await asyncio.sleep(size / 200_000)


async def _both(
    one: Coroutine[None, None, None], other: Coroutine[None, None, None], writers: tuple[asyncio.StreamWriter, ...]
) -> None:
    try:
        await asyncio.gather(one, other)
    finally:
        for writer in writers:
            writer.transport.abort()


def socket_of(url: str) -> Path:
    """The socket that a PostgreSQL URL with a folder for a host leads to."""
    query = dict(pair.split("=", 1) for pair in urlsplit(url).query.split("&"))
    return Path(unquote(query["host"])) / f".s.PGSQL.{query.get('port', '5432')}"


def through(url: str, folder: Path) -> str:
    """That URL by the socket of the same name in `folder`, where a link listens."""
    real = socket_of(url).parent
    return url.replace(quote(str(real), safe="/"), quote(str(folder), safe="/"))
