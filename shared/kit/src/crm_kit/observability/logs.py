"""Structured logs: one JSON object a line, with request, trace and tenant; personal data and secrets left out."""

import json
import logging
import time
from collections.abc import MutableMapping
from functools import cache
from typing import Any, Literal

import orjson
import structlog

from crm_kit import context
from crm_kit.observability.access_log import AccessLog, use_access_log
from crm_kit.observability.output import OUTPUT

_SECRET_WORDS = ("authorization", "password", "secret", "token", "api_key", "cookie", "database_url")
_PERSONAL_WORDS = ("email", "phone", "address", "full_name", "first_name", "last_name", "body", "wechat")


def _add_context(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    here = context.current()
    if here is not None:
        entry.setdefault("request_id", here.request_id)
        entry.setdefault("trace_id", here.trace.trace_id)
        if here.tenant_id:
            entry.setdefault("tenant_id", here.tenant_id)
    return entry


@cache
def names_secret(name: str) -> bool:
    """Whether a field's name says that its value is a secret."""
    lowered = name.lower()
    return any(word in lowered for word in _SECRET_WORDS)


@cache
def _is_withheld(name: str) -> bool:
    return names_secret(name) or name.lower() in _PERSONAL_WORDS


def redact(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the values of fields that name a secret or personal data."""
    for name in entry:
        if _is_withheld(name):
            entry[name] = "[redacted]"
    return entry


class _OnceAWhile(logging.Filter):
    """What a library says over and over while its server is away is told once in a while: each of its clients says it."""

    def __init__(self, library: str, seconds: float = 5.0, most: int = 200) -> None:
        super().__init__()
        self._library, self._seconds, self._most = library, seconds, most
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] != self._library:
            return True
        said, now = self._said.get(str(record.msg)), time.monotonic()
        if said is not None and now - said < self._seconds:
            return False
        if len(self._said) >= self._most:
            self._said.clear()
        self._said[str(record.msg)] = now
        return True


def configure_logs(service: str, level: str, style: Literal["json", "console"]) -> None:
    """Sends structlog's and the standard library's records to standard output in one shape.

    Our own records go straight to the stream: through the standard library's machinery the access log would cost more
    than many a request.
    """

    def add_service(_l: object, _m: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry["service"] = service
        return entry

    use_access_log(_access_log(level, style))
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _add_context,
        redact,
        add_service,
    ]
    structlog.configure(
        processors=[*shared, _renderer(style, as_bytes=True)],
        logger_factory=structlog.BytesLoggerFactory(OUTPUT)  # type: ignore[arg-type]  # of a stream it writes and flushes
        if style == "json"
        else structlog.PrintLoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(OUTPUT)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(style, as_bytes=False)],
        )
    )
    handler.addFilter(_OnceAWhile("aiokafka"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "aiokafka", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True


def _access_log(level: str, style: Literal["json", "console"]) -> AccessLog | None:
    if logging.getLevelName(level) > logging.INFO:
        return None
    return AccessLog(OUTPUT) if style == "json" else AccessLog()


def _renderer(style: Literal["json", "console"], *, as_bytes: bool) -> structlog.typing.Processor:
    if style == "console":
        return structlog.dev.ConsoleRenderer()
    if as_bytes:
        return structlog.processors.JSONRenderer(serializer=_to_bytes)
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _to_bytes(entry: object, **_options: object) -> bytes:
    try:
        return orjson.dumps(entry, default=str)
    except TypeError:  # a text that is no valid Unicode
        return json.dumps(entry, default=str).encode()
