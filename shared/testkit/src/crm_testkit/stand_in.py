"""A stand-in for an HTTP service: a real server on a real port that notes what it is asked and answers as told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import uvicorn
from starlette.types import Receive, Scope, Send

from crm_testkit.listener import listen


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What to answer, and after how many seconds. `cut_at`: break the connection off after so many bytes."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    body: bytes = b"{}"
    after: float = 0.0
    cut_at: int | None = None


Answer = Callable[[Asked], Reply | Awaitable[Reply]]


class StandIn:
    """`asked` holds every request since `reset`; `answer` decides what is said to the next ones."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.answer: Answer = lambda _: Reply()

    def reset(self, answer: Answer | None = None) -> None:
        self.asked.clear()
        self.answer = answer or (lambda _: Reply())

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = scope["query_string"].decode("latin-1")
        target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        asked = Asked(scope["method"], target, headers, body)
        self.asked.append(asked)
        answered = self.answer(asked)
        reply = answered if isinstance(answered, Reply) else await answered
        await asyncio.sleep(reply.after)
        headers_sent = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
        if reply.status not in (204, 304):
            headers_sent.append((b"content-length", str(len(reply.body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers_sent})
        if reply.cut_at is not None:
            await send({"type": "http.response.body", "body": reply.body[: reply.cut_at], "more_body": True})
            raise ConnectionAbortedError("as told")
        await send({"type": "http.response.body", "body": reply.body if scope["method"] != "HEAD" else b""})


@asynccontextmanager
async def running_stand_in() -> AsyncIterator[StandIn]:
    """On a free loopback port."""
    with listen() as listener:
        stand_in = StandIn(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = uvicorn.Server(
            uvicorn.Config(
                stand_in.app, log_config=None, access_log=False, lifespan="off", interface="asgi3", timeout_graceful_shutdown=1,
                timeout_keep_alive=75, server_header=False, date_header=False,
            )
        )  # fmt: skip
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield stand_in
        finally:
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving


@asynccontextmanager
async def running_babbler(said: bytes) -> AsyncIterator[str]:
    """The URL of a TCP server that says `said` to whoever asks anything, and hangs up."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def closed_url() -> str:
    """A loopback URL at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
