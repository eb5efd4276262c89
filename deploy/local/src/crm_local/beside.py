"""Runs one command of every service of the stack beside it: each against its own database."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

from crm_kit.db.running import find_running

from crm_local.backup import one_sentence, running_server
from crm_local.configuration import MODULES, PROCESSES, Configuration
from crm_local.errors import StackError
from crm_local.run_folder import RunFolder
from crm_local.stack import LocalStack

_LITTLE_ROOM, _NO_ROOM = 2 * 1024**3, 256 * 1024**2


def verify_audit(configuration: Configuration, expected: Sequence[str] = ()) -> int:
    """The exit code: 0 where no service has found a fault in its audit log; each has printed what it found.

    The stack may run or not. `expected`: `<service>/<anchor>`, heads that an earlier run has printed.
    Raises StackError, OSError.
    """
    for anchor in expected:
        if anchor.partition("/")[0] not in MODULES:
            raise StackError(f"{anchor!r} is not SERVICE/TENANT:SEQUENCE:HASH")

    def arguments(name: str) -> list[str]:
        anchors = [given.partition("/")[2] for given in expected if given.startswith(f"{name}/")]
        return ["audit", "verify", *(option for anchor in anchors for option in ("--expect", anchor))]

    return each_service(configuration, arguments)


def examine(configuration: Configuration, say: Callable[[str], None]) -> int:
    """The exit code: 0 where nothing of the stack is at fault; each service has printed what it found.

    The stack may run or not. Raises StackError, OSError.
    """
    code = each_service(configuration, lambda _name: ["doctor"])
    free = shutil.disk_usage(configuration.run_dir).free
    if free >= _LITTLE_ROOM:
        say(f"ok      disk: {free / 1024**3:.1f} GiB are free for {configuration.run_dir}.")
        return code
    sign = "FAULT  " if free < _NO_ROOM else "WARNING"
    say(
        f"{sign} disk: only {free / 1024**2:.0f} MiB are free for {configuration.run_dir}: PostgreSQL stops when none is; make room."
    )
    return 1 if free < _NO_ROOM else code


def each_service(
    configuration: Configuration,
    arguments: Callable[[str], Sequence[str]],
    *,
    names: Sequence[str] = PROCESSES,
    heard: Callable[[str, str], None] | None = None,
    stop_at_failure: bool = False,
) -> int:
    """The greatest exit code. `heard` is given what each has printed, by its name, in place of the terminal.

    Raises StackError, OSError.
    """
    folder = RunFolder(configuration.run_dir.absolute())
    if not (folder.postgres.is_dir() and folder.secrets.is_dir()):
        raise StackError(f"{folder.path} holds no stack: set RUN_DIR to the folder of one")
    code = 0
    with running_server(folder):
        with one_sentence():
            server_url = find_running(folder.postgres).superuser_url()
        stack = LocalStack(configuration)
        for name in names:
            done = subprocess.run(  # noqa: S603 our own command
                [sys.executable, "-m", MODULES[name], *arguments(name)],
                env=stack.environment_of(name, server_url),
                stdin=subprocess.DEVNULL,
                stdout=None if heard is None else subprocess.PIPE,
                check=False,
            )
            code = max(code, abs(done.returncode))
            if heard is not None:
                heard(name, done.stdout.decode())
            if code and stop_at_failure:
                break
    return code
