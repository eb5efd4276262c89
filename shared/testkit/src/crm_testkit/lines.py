"""Clients of one connection each, and which of the processes at a port has the other end of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx
import psutil
from crm_kit.db.processes import descendants

from crm_testkit.whole_stack import bearer

MANY: Final = 12


@dataclass(frozen=True)
class Line:
    """A client with one connection, which stays open."""

    client: httpx.AsyncClient
    port: int
    """At the client's end."""


@asynccontextmanager
async def lines(
    url: str, key: object, number: int = MANY, first: str = "/v1/contacts?limit=1"
) -> AsyncIterator[list[Line]]:
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(number):
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=60)
            client = httpx.AsyncClient(base_url=url, headers=bearer(key), limits=limits, timeout=30)
            await stack.enter_async_context(client)
            answer = await client.get(first)
            assert answer.status_code == 200, answer.text
            found.append(Line(client, answer.extensions["network_stream"].get_extra_info("client_addr")[1]))
        yield found


def processes(pid: int | None) -> list[psutil.Process]:
    assert pid is not None
    return [psutil.Process(pid), *descendants(pid)]


def server_of(pid: int | None, line: Line) -> psutil.Process:
    """The process that has the other end."""
    for process in processes(pid):
        for connection in process.net_connections("tcp"):
            if connection.raddr and connection.raddr.port == line.port:
                return process
    raise LookupError("nobody has it")
