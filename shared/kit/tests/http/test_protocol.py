"""Answers on the wire, by the short way out and by uvicorn's: requests behind one another, clients that leave, clients that do not read."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from crm_kit.http.protocol import answer_whole
from crm_testkit.service import ServiceUnderTest, Tenant
from hypothesis import given
from hypothesis import strategies as st

_ORDINARY = b"range: bytes=0-\r\n"
"""Nobody here heeds it; a request with it goes by uvicorn's way."""


class Wire(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> tuple[bytes, dict[bytes, bytes], bytes]:
        """Status line, headers but those that no two answers share, body."""
        status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
        headers = dict(line.lower().split(b": ", 1) for line in lines)
        assert len(headers) == len(lines), "each once"
        body = await self.reader.readexactly(int(headers.get(b"content-length", b"0")))
        return status, {name: value for name, value in headers.items() if name not in _DRAWN}, body


_DRAWN = frozenset({b"x-request-id", b"traceparent"})


@asynccontextmanager
async def wire(toy: ServiceUnderTest) -> AsyncIterator[Wire]:
    parts = urlsplit(toy.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        async with asyncio.timeout(30):
            yield Wire(reader, writer)
    finally:
        writer.transport.abort()


async def _note(tenant: Tenant, title: str = "便条") -> str:
    path: str = (await tenant.client.post("/v1/notes", json={"title": title})).headers["location"]
    return path


def _get(tenant: Tenant, path: str, more: bytes = b"", version: str = "1.1") -> bytes:
    who = tenant.client.headers["authorization"]
    return f"GET {path} HTTP/{version}\r\nhost: x\r\nauthorization: {who}\r\n".encode() + more + b"\r\n"


@pytest.mark.parametrize(
    "more", [b"", b'if-none-match: "1"\r\n', b'if-none-match: W/"1"\r\n', b'if-none-match: "9"\r\n']
)
async def test_both_ways_send_the_same(toy: ServiceUnderTest, more: bytes) -> None:
    tenant = toy.tenant()
    path = await _note(tenant)
    async with wire(toy) as client:
        client.writer.write(_get(tenant, path, more) + _get(tenant, path, more + _ORDINARY))
        short = await client.answer()
        assert short == await client.answer()
        assert short[0] == (b"HTTP/1.1 304 Not Modified" if b'"1"' in more else b"HTTP/1.1 200 OK")


async def test_requests_behind_one_another_are_answered_in_their_order(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    paths = [await _note(tenant, f"Note {number}") for number in range(5)]
    async with wire(toy) as client:
        client.writer.write(b"".join(_get(tenant, path) for path in paths * 8))
        for number in [*range(5)] * 8:
            _, _, body = await client.answer()
            assert f"Note {number}".encode() in body


@pytest.mark.parametrize(("more", "version"), [(b"connection: close\r\n", "1.1"), (b"", "1.0")])
async def test_who_says_good_bye_is_answered_and_left(toy: ServiceUnderTest, more: bytes, version: str) -> None:
    tenant = toy.tenant()
    path = await _note(tenant)
    async with wire(toy) as client:
        client.writer.write(_get(tenant, path, more, version))
        status, headers, body = await client.answer()
        assert (status[9:], headers[b"connection"]) == (b"200 OK", b"close")
        assert "便条".encode() in body
        assert await client.reader.read() == b""


async def test_who_does_not_read_gets_everything_later(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    path = await _note(tenant, "x" * 200)
    many = 3_000
    async with wire(toy) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # of the transport that it is
        client.writer.write(_get(tenant, path) * many)
        await asyncio.sleep(1)
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
        bodies = {(await client.answer())[2] for _ in range(many)}
        assert len(bodies) == 1


class _Cycle:
    """What uvicorn gives: only what was written is of interest here."""

    disconnected = response_started = response_complete = False
    keep_alive = True
    default_headers = ()
    scope: Mapping[str, str] = {"method": "GET"}

    def __init__(self) -> None:
        self.written = b""
        self.flow = type("Flow", (), {"write_paused": False})()
        self.message_event = asyncio.Event()
        self.transport = self

    def write(self, data: bytes) -> None:
        self.written += data

    def on_response(self) -> None:
        """Nothing."""


@given(st.lists(st.tuples(st.sampled_from([b"etag", b"location", b"x"]), st.binary(max_size=12)), max_size=4))
def test_no_value_makes_a_second_line(headers: list[tuple[bytes, bytes]]) -> None:
    cycle = _Cycle()
    sent = answer_whole(cycle, 200, headers, b"body")  # type: ignore[arg-type]  # it stands in for uvicorn's
    splits = any(byte in value for _, value in headers for byte in (b"\r", b"\n", b"\0"))
    assert sent == (not splits)
    assert cycle.written.count(b"\n") == (len(headers) + 2 if sent else 0)
