"""Further processes beside a running stack: one role alone, a second gateway, a service with a planted bug."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from crm_local.child import Child, Program
from crm_local.configuration import MODULES
from crm_local.ports import find_free_ports
from crm_local.stack import LocalStack

_READY_SECONDS = 60.0


@asynccontextmanager
async def beside(stack: LocalStack, name: str, *command: str, start: Sequence[str] = ()) -> AsyncIterator[Child]:
    """Runs `command` (`relay`, or `serve --only api`) of the service `name` with its settings, on a port of its own.

    `start` replaces `python -m <module>`. It is ready; its port is `child.program.port`.
    """
    (port,) = find_free_ports(1)
    child = Child(
        Program(
            name=f"{name} {' '.join(command)}",
            command=(*(start or (sys.executable, "-m", MODULES[name])), *command),
            environment={**os.environ, **stack.environment_of(name), "PORT": str(port)},
            port=port,
            log_file=stack.folder.log_file(f"{name}-{port}"),
        ),
        lambda _: None,
        lambda: None,
    )
    try:
        await child.start()
        await child.wait_ready(_READY_SECONDS)
        yield child
    finally:
        await child.stop(8.0)
