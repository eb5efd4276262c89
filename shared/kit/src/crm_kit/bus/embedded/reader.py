"""The connection by which a process reads: a server's backend for each consumer would take five megabytes, and be woken each time."""

import asyncio
from typing import Final

from crm_kit.bus.embedded.connection import FAILURES, Connection, connect

_CLOSING_SECONDS: Final = 2.0


class Reader:
    """Shared by members of different groups: advisory locks are the session's, so two of one group would both get them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self.groups: set[str] = set()
        self.using = asyncio.Lock()
        """Whoever has the connection do something holds it meanwhile."""

    async def connected(self) -> Connection:
        """Another connection than before where that has been lost, and with it all locks."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._url)
        return self._connection

    async def leave(self, group: str) -> None:
        self.groups.discard(group)
        if not self.groups and self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                await connection.close(timeout=_CLOSING_SECONDS)
            except FAILURES:
                connection.terminate()


class Readers:
    """Of one process; there is more than one where a group has several members in it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._readers: list[Reader] = []

    def of(self, group: str) -> Reader:
        """One that no other member of the group reads by."""
        reader = next((each for each in self._readers if group not in each.groups), None)
        if reader is None:
            reader = Reader(self._url)
            self._readers.append(reader)
        reader.groups.add(group)
        return reader
