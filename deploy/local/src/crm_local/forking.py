"""`python -m crm_local.forking`: imports what every service imports, once, and then forks them (see `fork_server.py`).

A line of JSON on standard input starts one; a line on standard output tells each start and each end.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import sys
from typing import NoReturn

from crm_kit.db.processes import end_with_parent
from setproctitle import setproctitle

from crm_local.fork_server import Ended, Order, Started

# What every service loads when it is imported and started. None of a service itself: none imports another.
_IMPORTED = (
    "crm_kit.app",
    "crm_kit.bus.embedded",
    "crm_kit.cli",
    "crm_kit.serving",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)


def serve() -> None:
    """Until standard input is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervisor
    signal.signal(signal.SIGCHLD, lambda *_: _tell_ended())
    gc.disable()  # nothing that is imported is garbage; `crm_kit.cli` turns it on again once a service is imported, too
    for name in _IMPORTED:
        importlib.import_module(name)
    # A collection would write to every object, and so copy the page that it shares.
    gc.collect()
    gc.freeze()
    parent = os.getpid()
    for line in sys.stdin.buffer:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # an end is told after its start
        if (pid := os.fork()) == 0:
            _become(json.loads(line), parent)
        _tell(Started(started=pid))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _tell(what: Started | Ended) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _tell_ended() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(Ended(ended=pid, code=os.waitstatus_to_exitcode(status)))


def _become(order: Order, parent: int) -> NoReturn:
    if request := end_with_parent(signal.SIGKILL, parent):
        request()
    os.setsid()
    for signum in (signal.SIGINT, signal.SIGCHLD):
        signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    _redirect(order["log_file"])
    setproctitle(
        " ".join((order["module"], *order["arguments"]))
    )  # it finds its place by the environment it began with
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = [order["module"], *order["arguments"]]
    code = 1
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 1
        if isinstance(exit_.code, str):
            sys.stderr.write(f"{exit_.code}\n")
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(log_file: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115  # it is open as long as the process is


if __name__ == "__main__":
    serve()
