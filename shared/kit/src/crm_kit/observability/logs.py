"""Structured logs: one JSON object a line, with request, trace and tenant; personal data and secrets left out."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from crm_kit import context

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


def redact(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the values of fields that name a secret or personal data."""
    for name in entry:
        lowered = name.lower()
        if any(word in lowered for word in _SECRET_WORDS) or lowered in _PERSONAL_WORDS:
            entry[name] = "[redacted]"
    return entry


def configure_logs(service: str, level: str, style: Literal["json", "console"]) -> None:
    """Sends structlog's and the standard library's records to standard output in one shape."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _add_context,
        redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False) if style == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)

    def add_service(_l: object, _m: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry["service"] = service
        return entry

    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, add_service, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "aiokafka", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
