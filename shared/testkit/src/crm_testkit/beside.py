"""Further processes beside a running stack: one role alone, a second gateway, a service with a planted bug."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from crm_local.child import Child, Program
from crm_local.configuration import MODULES
from crm_local.ports import find_free_ports
from crm_local.stack import LocalStack

_READY_SECONDS = 60.0


def process_of(stack: LocalStack, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
    """`command` on a port of its own, not yet started; `name` is that of its log."""
    (port,) = find_free_ports(1)
    program = Program(name, command, {**environment, "PORT": str(port)}, port, stack.folder.log_file(f"{name}-{port}"))
    return Child(program, lambda _: None, lambda: None)


@asynccontextmanager
async def beside(
    stack: LocalStack, name: str, *command: str, start: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    """Runs `command` (`relay`, or `serve --only api`) of the service `name` with its settings, on a port of its own.

    `start` replaces `python -m <module>`; `settings`: variables that it has besides. It is ready; its port is `child.program.port`.
    """
    whole = (*(start or (sys.executable, "-m", MODULES[name])), *command)
    child = process_of(stack, name, whole, {**stack.environment_of(name), **(settings or {})})
    try:
        await child.start()
        await child.wait_ready(_READY_SECONDS)
        yield child
    finally:
        await child.stop(8.0)
