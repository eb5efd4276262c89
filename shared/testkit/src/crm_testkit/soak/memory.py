"""How large the processes of a stack are, and its tables that should stay small or are known to grow."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import psutil
from crm_local.stack import POSTGRES, LocalStack

PRIVATE: Final = "postgres, without shared buffers"
"""The servers' own memory: shared buffers fill up once, whatever is done with them."""

_OUTBOXES: Final = ("gateway", "contacts", "pipeline", "tickets", "campaigns")
_SIZE: Final = "select coalesce(sum(pg_total_relation_size(c.oid)), 0) from pg_class c where c.relname = $1"
_WHOLE: Final = "select sum(pg_database_size(oid)) from pg_database"
_BACKENDS: Final = "select count(*) from pg_stat_activity where backend_type = 'client backend'"


def processes(*pids: int) -> list[psutil.Process]:
    """The processes and all their children, each once."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            first = psutil.Process(pid)
            found |= {process.pid: process for process in [first, *first.children(recursive=True)]}
    return list(found.values())


def proportional_mb(*pids: int) -> float:
    """Proportional set size with all children: pages that several share are counted once."""
    total = 0
    for process in processes(*pids):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / 1e6


def unique_mb(pid: int) -> float:
    """What the process and its children have each alone: unlike their share of what they have with others, it does not follow
    their number.
    """
    total = 0.0
    for process in processes(pid):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().uss
    return total / 1e6


def private_mb(pid: int) -> float:
    """What belongs to no file and to no shared memory, with all children."""
    total = 0
    for process in processes(pid):
        with suppress(psutil.NoSuchProcess):
            memory = process.memory_info()
            total += memory.rss - memory.shared
    return total / 1e6


def sizes(pids: Mapping[str, int]) -> dict[str, float]:
    """MB of each process by name; PostgreSQL's servers count as one."""
    found = {name: proportional_mb(pid) for name, pid in pids.items()}
    if POSTGRES in pids:
        found[PRIVATE] = private_mb(pids[POSTGRES])
    return found


class Tables:
    """Megabytes of the outboxes (tables with indexes), of the embedded log and of everything, while it is open."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._connections: dict[str, asyncpg.Connection] = {}

    async def __aenter__(self) -> "Tables":
        for name in _OUTBOXES:
            self._connections[name] = await asyncpg.connect(self._stack.database_url(name))
        if self._stack.configuration.bus == "embedded":
            url = self._stack.environment_of("gateway")["EVENT_LOG_URL"]
            name = urlsplit(url).path.removeprefix("/")
            self._connections["log"] = await asyncpg.connect(self._stack.database_url(name))
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections.values():
            await connection.close()

    async def sizes(self) -> dict[str, float]:
        outboxes = [await self._connections[name].fetchval(_SIZE, "outbox") for name in _OUTBOXES]
        found = {"outboxes": sum(map(float, outboxes)) / 1e6}
        if log := self._connections.get("log"):
            found["embedded log"] = await log.fetchval("select pg_database_size(current_database())") / 1e6
        found["all databases"] = float(await self._connections["gateway"].fetchval(_WHOLE)) / 1e6
        return found

    async def backends(self) -> int:
        """Servers that PostgreSQL runs for its clients."""
        return int(await self._connections["gateway"].fetchval(_BACKENDS))


def peak_mb(pid: int) -> float:
    """The largest resident size that the process has ever had: no sampling misses it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError("the kernel tells no peak")
