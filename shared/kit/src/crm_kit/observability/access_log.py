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
        self._lines: list[bytes] = []
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
        """One request that took so many seconds."""
        line: dict[str, object] = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "request_id": request_id,
            "trace_id": trace_id,
        }
        if tenant_id:
            line["tenant_id"] = tenant_id
        if self._stream is None:
            _log.info("request", **line)
            return
        line |= {"event": "request", "level": "info", "timestamp": self._now(), "service": self._service}
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _now(self) -> str:
        second, fraction = divmod(time.time(), 1)
        if second != self._second:
            self._second = int(second)
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int(fraction * _MICROSECONDS):06d}Z"

    def _flush(self) -> None:
        assert self._stream is not None
        lines, self._lines = self._lines, []
        self._stream.write(b"".join(lines))
        self._stream.flush()


_current = AccessLog()


def use_access_log(log: AccessLog) -> None:
    """From now on requests of this process are told of by it."""
    global _current  # noqa: PLW0603  # one a process, as its logging is
    _current = log


def access_log() -> AccessLog:
    return _current
