"""Spreads connections over the processes of a service that say they are ready."""

import asyncio
from contextlib import suppress

from crm_local.ports import HOST
from crm_local.tenant import answers_ready

from crm_testkit.chaos.links import Link

_PROBE_SECONDS = 0.2
_PATIENCE_SECONDS = 20.0
_FAILURES = 2
"""Probes in a row that fail before a process gets no more connections, as the chart has it."""


class Balancer(Link):
    """In turn, as Kubernetes' Services do: a process gets connections from when `/readyz` answers 200 until it does not.

    One that refuses the connection is passed over; where none is ready, any that takes it. A connection once made stays
    with its process.
    """

    def __init__(self, port: int) -> None:
        """`port`: of the first process."""
        super().__init__(port)
        self._probes: dict[int, asyncio.Task[None]] = {}
        self._ready: list[int] = []
        self._first = port
        self._turn = 0

    def add(self, port: int) -> None:
        """Another process, which need not be ready yet."""
        self._probes[port] = asyncio.create_task(self._probe(port))

    def remove(self, port: int) -> None:
        """That process has ended."""
        self._probes.pop(port).cancel()
        if port in self._ready:
            self._ready.remove(port)

    async def until_ready(self, port: int) -> None:
        """Waits until that process gets connections."""
        while port not in self._ready:
            await asyncio.sleep(0.02)

    async def start(self) -> None:
        await super().start()
        self.add(self._first)

    async def stop(self) -> None:
        for probe in self._probes.values():
            probe.cancel()
        await asyncio.gather(*self._probes.values(), return_exceptions=True)
        await super().stop()

    async def _probe(self, port: int) -> None:
        failures = 0
        while True:
            ready = await answers_ready(port, _PATIENCE_SECONDS)
            failures = 0 if ready else failures + 1
            if ready and port not in self._ready:
                self._ready.append(port)
            elif failures >= _FAILURES and port in self._ready:
                self._ready.remove(port)
            await asyncio.sleep(_PROBE_SECONDS)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._turn += 1
        turn = self._turn % max(len(self._ready), 1)
        for port in (
            *self._ready[turn:],
            *self._ready[:turn],
            *(port for port in self._probes if port not in self._ready),
        ):
            with suppress(OSError):
                return await asyncio.open_connection(HOST, port)
        raise ConnectionRefusedError("no process takes connections")
