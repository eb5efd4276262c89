"""One supervised process: its output in a log of bounded size, started again when it ends."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crm_kit.db.processes import end_with_parent, watch_parent

from crm_local.errors import StackError
from crm_local.fork_server import ForkedProcess, ForkServer, Order
from crm_local.tenant import answers_ready

LOG_BYTES = 10_000_000
_RESTART_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
# One that ends by itself sooner than this after its start is in a crash loop.
_SETTLED_SECONDS = 10.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ForkedModule:
    """`python -m <module> <arguments>`, forked instead of executed."""

    server: ForkServer
    module: str
    arguments: Sequence[str]


@dataclass(frozen=True, slots=True)
class Program:
    """What to run under which name, and the port on which it then answers."""

    name: str
    command: Sequence[str] | ForkedModule
    environment: Mapping[str, str]
    port: int
    log_file: Path


class Child:
    """Start it, wait until it is ready, then `keep_running` until cancelled."""

    def __init__(self, program: Program, say: Callable[[str], None], changed: Callable[[], None]):
        self.program = program
        self._say = say
        self._changed = changed
        self._process: asyncio.subprocess.Process | ForkedProcess | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._quick_ends = 0
        self._may_run = asyncio.Event()
        self._may_run.set()

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the process; raises `StackError` if it cannot be executed."""
        program = self.program
        bound_log(program.log_file)
        if isinstance(program.command, ForkedModule):
            self._process = await _fork(program.command, program)
        else:
            self._process = await _execute(program.command, program)
        self._watcher = watch_parent(self._process.pid, signal.SIGKILL)
        self._started_at = time.monotonic()

    async def wait_ready(self, seconds: float) -> None:
        """Wait until `/readyz` answers 200; raises `StackError` if it ends before, or after `seconds`."""
        program, deadline = self.program, time.monotonic() + seconds
        while self.pid is None or not await answers_ready(program.port):
            if self.pid is None:
                assert self._process is not None
                how = _ending(self._process.returncode)
                raise StackError(f"{program.name} {how} while starting:\n{last_lines(program.log_file)}")
            if time.monotonic() > deadline:
                raise StackError(f"{program.name} was not ready after {seconds:.0f} s:\n{last_lines(program.log_file)}")
            await asyncio.sleep(_POLL_SECONDS)

    async def keep_running(self) -> None:
        """Start it again whenever it ends: soon, or after growing pauses if it ends at once every time."""
        while True:
            assert self._process is not None
            code = await self._process.wait()
            ended = f"{self.program.name} (process {self._process.pid}) {_ending(code)}"
            self._end_watcher()
            self._changed()
            if not self._may_run.is_set():
                self._say(f"{ended} and is held")
                await self._may_run.wait()
            else:
                pause = self._pause_after(code)
                if pause > _RESTART_SECONDS:
                    self._say(
                        f"{ended}, {self._quick_ends} times in a row; next try in {pause:.1f} s: {self._last_line()}"
                    )
                await asyncio.sleep(pause)
            try:
                await self.start()
            except StackError as error:
                self._say(str(error))
                await asyncio.sleep(_LONGEST_PAUSE_SECONDS)
                continue
            self._say(f"{ended}; started again as process {self.pid}")
            self._changed()

    def hold(self) -> None:
        """Let it stay down when it ends, until `release`."""
        self._may_run.clear()

    def release(self) -> None:
        """Undo `hold`."""
        self._may_run.set()

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signum)

    async def wait_ended(self) -> None:
        """Wait until the process that runs now has ended."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL after `seconds`. Cancel `keep_running` before."""
        if self._process is None:
            return
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            self._say(f"{self.program.name} did not stop within {seconds:.0f} s and was killed")
        finally:
            self.signal(signal.SIGKILL)
            self._end_watcher()
        await self._process.wait()

    def _pause_after(self, code: int) -> float:
        crashed_early = code > 0 and time.monotonic() - self._started_at < _SETTLED_SECONDS
        self._quick_ends = self._quick_ends + 1 if crashed_early else 0
        doublings = max(self._quick_ends - 1, 0)
        return min(_RESTART_SECONDS * 2.0**doublings, _LONGEST_PAUSE_SECONDS)

    def _last_line(self) -> str:
        return last_lines(self.program.log_file, 1)

    def _end_watcher(self) -> None:
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None


async def _fork(command: ForkedModule, program: Program) -> ForkedProcess:
    order = Order(
        module=command.module,
        arguments=list(command.arguments),
        environment=program.environment,
        log_file=str(program.log_file),
    )
    return await command.server.start(order)


async def _execute(command: Sequence[str], program: Program) -> asyncio.subprocess.Process:
    try:
        with program.log_file.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                env=program.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops all in order
                preexec_fn=end_with_parent(signal.SIGKILL),
            )
    except OSError as error:
        raise StackError(f"{program.name} cannot be started: {error.strerror} ({error.filename})") from error


def bound_log(path: Path) -> None:
    """Move a log that has grown too large to `<name>.log.1`, in place: its writer appends on."""
    try:
        if path.stat().st_size < LOG_BYTES:
            return
    except FileNotFoundError:
        return
    path.with_suffix(".log.1").write_bytes(path.read_bytes())
    with path.open("r+b") as log:
        log.truncate(0)


def last_lines(path: Path, count: int = 12) -> str:
    """The end of a log, for people."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 8192))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    return "\n".join(lines[-count:]) or "(it wrote nothing)"


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with code {code}"
    return f"was ended by {signal.Signals(-code).name}"
