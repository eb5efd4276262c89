"""uvicorn, made to end in order."""

import gc
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from crm_kit.http.protocol import Protocol
from crm_kit.observability.access_log import access_log
from crm_kit.runtime import Runtime

# The rest of the grace period is for the batches in hand, and for closing connections.
_REQUESTS_SHARE = 0.6

_YOUNG_OBJECTS = 5_000
"""Between two looks of the garbage collector at what is new; Python's own 700 is a handful of requests."""


def collect_seldom() -> None:
    """What was loaded stays: were it looked through again and again, each time would hold every request up for 100 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)


class Server(uvicorn.Server):
    """On SIGTERM it goes unready, later stops listening, answers what was begun, and ends with code 0.

    It also ends when the runtime has failed; `Runtime.failure` then says why.
    """

    def __init__(self, app: FastAPI, runtime: Runtime) -> None:
        settings = runtime.settings
        self._runtime = runtime
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # crm_kit.http.origin reads them, as far as a setting trusts them
                date_header=False,
                loop="uvloop",
                http=Protocol,
                backlog=2048,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=max(1, int(settings.shutdown_grace_seconds * _REQUESTS_SHARE)),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        collect_seldom()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        log = access_log()
        if log is not None:
            log.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # a signal handler's arguments
        # uvicorn would raise the signal again at its end, and the process would look killed.
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self._runtime.shutdown.ask()

    @property
    def is_due(self) -> bool:
        """Whether it was asked to stop, and load balancers had their time."""
        return self._runtime.shutdown.is_due

    async def on_tick(self, counter: int) -> bool:
        if self.is_due or self._runtime.failure is not None:
            self.should_exit = True
        return await super().on_tick(counter)
