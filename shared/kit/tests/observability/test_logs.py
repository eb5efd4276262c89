"""Logs: one JSON object a line, with the request's context, without secrets and personal data."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from crm_kit import context
from crm_kit.observability.logs import configure_logs, redact


@contextmanager
def _lines(capsys: pytest.CaptureFixture[str]) -> Iterator[list[dict[str, Any]]]:
    """What a service logs within the block; the tests' own logging is put back afterwards."""
    lines: list[dict[str, Any]] = []
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logs("toy", "INFO", "json")
    try:
        yield lines
    finally:
        structlog.configure(**before)
        root.handlers[:] = handlers
        root.setLevel(level)
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
