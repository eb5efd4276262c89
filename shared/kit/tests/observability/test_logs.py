"""Logs: one JSON object a line, with the request's context, without secrets and personal data."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
import structlog
from crm_kit import context
from crm_kit.observability.access_log import AccessLog, Asked, access_log, use_access_log
from crm_kit.observability.logs import configure_logs, redact
from hypothesis import given
from hypothesis import strategies as st


@contextmanager
def _lines(capsys: pytest.CaptureFixture[str]) -> Iterator[list[dict[str, Any]]]:
    """What a service logs within the block; the tests' own logging is put back afterwards."""
    lines: list[dict[str, Any]] = []
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level, requests = list(root.handlers), root.level, access_log()
    configure_logs("toy", "INFO", "json")
    try:
        yield lines
    finally:
        structlog.configure(**before)
        root.handlers[:] = handlers
        root.setLevel(level)
        use_access_log(requests)
    lines += [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_has_the_context_of_its_request(capsys: pytest.CaptureFixture[str]) -> None:
    trace = context.start_trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    with _lines(capsys) as lines:
        with context.use(context.Context(trace, "req-1", "tenant_1", "key_1")):
            structlog.get_logger("test").info("moved", note="便条", count=2)
        structlog.get_logger("test").debug("not shown")
    [line] = lines
    assert {name: line[name] for name in ("event", "note", "count", "level", "service")} == {
        "event": "moved",
        "note": "便条",
        "count": 2,
        "level": "info",
        "service": "toy",
    }
    assert (line["trace_id"], line["request_id"]) == ("4bf92f3577b34da6a3ce929d0e0e4736", "req-1")
    assert line["tenant_id"] == "tenant_1"
    assert str(line["timestamp"]).endswith("Z")


def test_other_libraries_lines_have_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    with _lines(capsys) as lines:
        logging.getLogger("somebody.else").warning("slow: %s s", 3)
    [line] = lines
    assert (line["event"], line["level"], line["service"]) == ("slow: 3 s", "warning", "toy")


def test_an_exception_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    with _lines(capsys) as lines:
        try:
            raise ValueError("no\nway")
        except ValueError:
            structlog.get_logger("test").exception("failed")
    [line] = lines
    assert line["event"] == "failed"
    assert "ValueError: no" in str(line["exception"])


@pytest.mark.parametrize(
    "name", ["password", "client_secret", "Authorization", "access_token", "api_key", "email", "phone", "full_name"]
)
def test_secrets_and_personal_data_are_left_out(name: str) -> None:
    assert redact(None, "", {name: "shown", "count": 1}) == {name: "[redacted]", "count": 1}


def test_a_trace_goes_on_or_begins() -> None:
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    trace = context.start_trace(given)
    assert (trace.trace_id, trace.parent_id, trace.flags) == (given[3:35], given[36:52], "01")
    assert trace.span_id != trace.parent_id
    for malformed in (
        None,
        "",
        given.upper(),
        given[:-1],
        given + "-x",
        "ff" + given[2:],
        "00-" + "0" * 32 + given[35:],
    ):
        made = context.start_trace(malformed)
        assert (made.parent_id, made.trace_id == trace.trace_id) == (None, False)
    assert trace.traceparent == f"00-{trace.trace_id}-{trace.span_id}-01"
    assert made.flags == "00"  # nobody records it


def test_what_a_library_repeats_is_told_once_in_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    with _lines(capsys) as lines:
        for node in range(50):
            logging.getLogger("aiokafka.conn").warning("Unable to connect to %s", node)
            logging.getLogger("other").warning("Once more: %s", node)
    said = [line["event"].partition(" ")[0] for line in lines]
    assert (said.count("Unable"), said.count("Once")) == (1, 50)


async def _told(method: str, route: str, seconds: float, tenant_id: str | None) -> list[dict[str, Any]]:
    """The lines of two requests."""
    stream = io.BytesIO()
    log = AccessLog(stream)
    for status in (200, 404):
        asked = Asked("toy", method, route, status)
        log.write(asked, seconds, "req-1/a:b", "4bf92f3577b34da6a3ce929d0e0e4736", tenant_id)
    assert not stream.getvalue(), "lines go out together"
    log.flush()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_what_waits_goes_out_by_itself() -> None:
    stream = io.BytesIO()
    AccessLog(stream).write(Asked("toy", "GET", "/", 200), 0.001, "req-1", "4bf92f3577b34da6a3ce929d0e0e4736", None)
    async with asyncio.timeout(10):
        while not stream.getvalue().endswith(b"\n"):
            await asyncio.sleep(0.01)


@given(st.text(max_size=20), st.text(max_size=40), st.floats(0, 1e6), st.sampled_from([None, "tenant_1"]))
def test_a_request_leaves_a_line_of_the_same_shape(
    method: str, route: str, seconds: float, tenant_id: str | None
) -> None:
    found, missing = asyncio.run(_told(method, route, seconds, tenant_id))
    assert (found["status"], missing["status"]) == (200, 404)
    assert abs(datetime.fromisoformat(found.pop("timestamp")) - datetime.now(UTC)) < timedelta(minutes=1)
    assert abs(found.pop("ms") - seconds * 1000) <= 0.0051 + seconds * 1e-9
    assert found == {
        "event": "request",
        "level": "info",
        "service": "toy",
        "method": method,
        "route": route,
        "status": 200,
        "request_id": "req-1/a:b",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        **({"tenant_id": tenant_id} if tenant_id else {}),
    }


@pytest.mark.parametrize(("level", "is_told"), [("DEBUG", True), ("INFO", True), ("WARNING", False), ("ERROR", False)])
@pytest.mark.parametrize("style", ["json", "console"])
def test_requests_are_told_of_at_the_level_of_information(
    capsys: pytest.CaptureFixture[str], level: str, style: Literal["json", "console"], is_told: bool
) -> None:
    with _lines(capsys):
        configure_logs("toy", level, style)
        assert (access_log() is not None) == is_told
