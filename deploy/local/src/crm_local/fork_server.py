"""Services forked from one process that has imported what all of them need.

Imports take each service two seconds and some sixty megabytes of its own; forks share both.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from crm_kit.db.processes import end_with_parent

from crm_local.errors import StackError


class Order(TypedDict):
    """`python -m <module> <arguments>` with this environment and nothing else of it, its output appended to a file."""

    module: str
    arguments: list[str]
    environment: Mapping[str, str]
    log_file: str


class Started(TypedDict):
    """The answer to an order; orders are answered one after the other."""

    started: int


class Ended(TypedDict):
    """A process has ended, with this code or, negative, by this signal."""

    ended: int
    code: int


class ForkedProcess:
    """Waited for and signalled as an `asyncio.subprocess.Process` is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        """None while it runs; less than 0 if a signal has ended it."""
        return self._code.result() if self._code.done() else None

    def send_signal(self, signum: signal.Signals) -> None:
        """Raises `ProcessLookupError` if it has ended."""
        if self._code.done():
            raise ProcessLookupError(self.pid)
        os.kill(self.pid, signum)

    async def wait(self) -> int:
        """Until it has ended: its exit code."""
        return await asyncio.shield(self._code)

    def note_end(self, code: int) -> None:
        """What the fork server says of it."""
        if not self._code.done():
            self._code.set_result(code)


class ForkServer:
    """Starts with the first process asked for, or by `prepare`; ends with all of its processes by `stop`.

    If it is killed its processes end with it, and the next one asked for starts it again.
    """

    def __init__(self, log_file: Path) -> None:
        self._log_file = log_file
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._forked: dict[int, ForkedProcess] = {}
        self._asked: asyncio.Future[ForkedProcess] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def prepare(self) -> None:
        """Have it import, meanwhile."""
        if self._process is not None and self._process.returncode is None:
            return
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "crm_local.forking"),
                env={**os.environ, "SPT_NOENV": "1"},  # setproctitle: leave the environment where `ps e` looks for it
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent(signal.SIGKILL),
            )
        self._reader = asyncio.create_task(self._read(self._process))

    async def start(self, order: Order) -> ForkedProcess:
        """A process of its own session; raises `StackError` if the fork server ends before it is forked."""
        async with self._one_at_a_time:
            await self.prepare()
            assert self._process is not None
            assert self._process.stdin is not None
            self._asked = asyncio.get_running_loop().create_future()
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            return await self._asked

    async def stop(self) -> None:
        """SIGKILL for what of it still runs."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._reader is not None:
            await self._reader
        self._process = None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            told = json.loads(line)
            if "started" in told:
                self._forked[told["started"]] = forked = ForkedProcess(told["started"])
                if self._asked is not None and not self._asked.done():
                    self._asked.set_result(forked)
            elif ended := self._forked.pop(told["ended"], None):
                ended.note_end(told["code"])
        await process.wait()
        for forked in self._forked.values():
            forked.note_end(-signal.SIGKILL)
        self._forked.clear()
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(StackError(f"no process can be forked: see {self._log_file}"))
