"""The line that every request leaves in the log: of the shape of all others, and written past their machinery, which costs
more than many a request.
"""

import asyncio
import time
from typing import BinaryIO, Final

import orjson
import structlog

_MICROSECONDS: Final = 1_000_000

_log = structlog.get_logger("crm.access")


class AccessLog:
    """Writes JSON to `stream`, the lines of one turn of the event loop together at its end; None: as all other logs."""

    def __init__(self, service: str = "", stream: BinaryIO | None = None) -> None:
        self._service = service
        self._stream = stream
        self._beginnings: dict[tuple[str, str, int], str] = {}
        self._lines: list[str] = []
        self._second = 0
        self._prefix = ""

    def write(
        self,
        *,
        method: str,
        route: str,
        status: int,
        seconds: float,
        request_id: str,
        trace_id: str,
        tenant_id: str | None,
    ) -> None:
        """One request that took so many seconds. Methods and routes must be few; the ids hold nothing that JSON would escape."""
        if self._stream is None:
            told = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 2)}
            whose = {"tenant_id": tenant_id} if tenant_id else {}
            _log.info("request", **told, request_id=request_id, trace_id=trace_id, **whose)
            return
        beginning = self._beginnings.get((method, route, status))
        if beginning is None:
            beginning = self._beginnings[(method, route, status)] = self._beginning(method, route, status)
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        tenant = f'"tenant_id":"{tenant_id}",' if tenant_id else ""
        self._lines.append(
            f'{beginning}"ms":{seconds * 1000:.2f},"request_id":"{request_id}","trace_id":"{trace_id}",'
            f'{tenant}"timestamp":"{self._now()}"}}\n'
        )

    def _beginning(self, method: str, route: str, status: int) -> str:
        """What is the same in all lines of these requests: an object without its end."""
        same = {"event": "request", "level": "info", "service": self._service}
        told = orjson.dumps({**same, "method": method, "route": route, "status": status}).decode()
        return f"{told.removesuffix('}')},"

    def _now(self) -> str:
        second, fraction = divmod(time.time(), 1)
        if second != self._second:
            self._second = int(second)
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int(fraction * _MICROSECONDS):06d}Z"

    def _flush(self) -> None:
        assert self._stream is not None
        lines, self._lines = self._lines, []
        self._stream.write("".join(lines).encode())
        self._stream.flush()


_current: AccessLog | None = AccessLog()


def use_access_log(log: AccessLog | None) -> None:
    """From now on requests of this process are told of by it; None: they are not."""
    global _current  # noqa: PLW0603  # one a process, as its logging is
    _current = log


def access_log() -> AccessLog | None:
    return _current
