"""Processes: children that end with their parent however it ends, and what is left of dead ones."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

# <linux/prctl.h>; see prctl(2).
_PR_SET_PDEATHSIG = 1
# Resolved once and in the parent: between fork and exec a child may neither import nor take a lock.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(signum: signal.Signals, parent: int | None = None) -> Callable[[], None] | None:
    """A `preexec_fn` that has the kernel send `signum` to the child when its parent (default: this process) ends.

    Linux binds this to the *thread* that starts the child: start long-lived children in the main thread.
    None where the kernel has no such call (macOS): use `watch_parent` there.
    """
    if _libc is None:
        return None
    libc, number, parent = _libc, int(signum), parent or os.getpid()

    def request() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # the parent ended before the request: nobody would send the signal
            os._exit(1)

    return request


def watch_parent(pid: int, signum: signal.Signals) -> subprocess.Popen[bytes] | None:
    """Where the kernel cannot do it: a small shell that signals `pid` when our end of a pipe closes.

    None on Linux. Kill it once `pid` has ended, so that it never signals another process with that number.
    """
    if _libc is not None:
        return None
    return subprocess.Popen(  # noqa: S603 two numbers of ours
        ["/bin/sh", "-c", f"cat >/dev/null; kill -{int(signum)} {pid}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def is_alive(process: psutil.Process) -> bool:
    """False also for a process that has ended and only waits for its parent to notice."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> list[psutil.Process]:
    """The children of a process, and theirs."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def working_in(folder: Path, name: str) -> list[psutil.Process]:
    """The processes called `name` whose working folder is `folder`."""
    wanted = str(folder.resolve())
    found = psutil.process_iter(["name", "cwd"])
    return [process for process in found if process.info["name"] == name and process.info["cwd"] == wanted]


def wait_until_ended(processes: Sequence[psutil.Process], timeout: float) -> list[psutil.Process]:
    """Wait up to `timeout` seconds; those that still run are returned."""
    deadline = time.monotonic() + timeout
    alive = [process for process in processes if is_alive(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(0.005)
        alive = [process for process in alive if is_alive(process)]
    return alive


def kill_all(processes: Sequence[psutil.Process]) -> None:
    """SIGKILL, and wait until they have ended."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    wait_until_ended(processes, 5.0)
