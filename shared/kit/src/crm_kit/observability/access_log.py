"""The line that every request leaves in the log: of the shape of all others, and written past their machinery, which costs
more than many a request.
"""

import asyncio
import time
from typing import Final, Protocol

import orjson
import structlog

_MICROSECONDS: Final = 1_000_000
_TOGETHER_SECONDS: Final = 0.05

_log = structlog.get_logger("crm.access")


class Stream(Protocol):
    def write(self, lines: bytes, /) -> object: ...


class Asked:
    """What is the same in the lines of many requests. Methods and routes must be few."""

    __slots__ = ("beginning", "told")

    def __init__(self, service: str, method: str, route: str, status: int) -> None:
        self.told = {"method": method, "route": route, "status": status}
        line = orjson.dumps({"event": "request", "level": "info", "service": service, **self.told}).decode()
        self.beginning = f"{line.removesuffix('}')},"


class AccessLog:
    """Writes JSON to `stream`, the lines of a twentieth of a second together; None: as all other logs."""

    def __init__(self, stream: Stream | None = None) -> None:
        self._stream = stream
        self._waiting: list[tuple[Asked, float, float, str, str, str]] = []
        self._second = 0
        self._prefix = ""

    def write(self, asked: Asked, seconds: float, request_id: str, trace_id: str, tenant_id: str | None) -> None:
        """One request that took so many seconds. The ids hold nothing that JSON would escape."""
        if self._stream is None:
            ids = {"request_id": request_id, "trace_id": trace_id, **({"tenant_id": tenant_id} if tenant_id else {})}
            _log.info("request", **asked.told, ms=round(seconds * 1000, 2), **ids)
            return
        if not self._waiting:
            asyncio.get_running_loop().call_later(_TOGETHER_SECONDS, self.flush)
        whose = f'"tenant_id":"{tenant_id}",' if tenant_id else ""
        self._waiting.append((asked, time.time(), seconds, request_id, trace_id, whose))

    def flush(self) -> None:
        """Writes what waits."""
        waiting, self._waiting = self._waiting, []
        if self._stream is None or not waiting:
            return
        lines = [
            f'{asked.beginning}"ms":{seconds * 1000:.2f},"request_id":"{request_id}","trace_id":"{trace_id}",'
            f'{whose}"timestamp":"{self._moment(at)}"}}\n'
            for asked, at, seconds, request_id, trace_id, whose in waiting
        ]
        self._stream.write("".join(lines).encode())

    def _moment(self, at: float) -> str:
        second = int(at)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int((at - second) * _MICROSECONDS):06d}Z"


_current: AccessLog | None = AccessLog()


def use_access_log(log: AccessLog | None) -> None:
    """From now on requests of this process are told of by it; None: they are not."""
    global _current  # noqa: PLW0603  # one a process, as its logging is
    _current = log


def access_log() -> AccessLog | None:
    return _current
