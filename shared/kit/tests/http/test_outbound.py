"""Requests to addresses that somebody gave: what is refused, what is bounded."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv6Address, ip_network
from socket import AddressFamily

import pytest
import pytest_asyncio
from aiohttp.abc import AbstractResolver, ResolveResult
from crm_kit.http.outbound import Outbound, OutboundFailed, OutboundRefused, is_public
from crm_testkit.stand_in import Reply, StandIn, closed_url, running_babbler, running_stand_in
from hypothesis import given
from hypothesis import strategies as st

CLOSED = """
    0.0.0.0 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255
    192.0.0.8 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1
    240.0.0.1 255.255.255.255 168.63.129.16
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:8.8.8.8 64:ff9b::169.254.169.254
    64:ff9b:1::a9fe:a9fe 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe::
    3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1
""".split()
OPEN = "1.1.1.1 8.8.8.8 93.184.215.14 2606:4700:4700::1111 2a00:1450:4001:81b::200e 2400:cb00::1".split()


@pytest.mark.parametrize("address", CLOSED)
def test_what_is_no_public_address(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_what_is_one(address: str) -> None:
    assert is_public(address)


PRIVATE = [
    ip_network(text) for text in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
]


@given(st.ip_addresses(v=4))
def test_no_disguise_of_an_address_opens_it(address: IPv4Address) -> None:
    number = int(address)
    for disguised in (
        IPv6Address(number),
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0x64FF9B << 96) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
    ):
        assert not is_public(str(disguised))
    if any(address in network for network in PRIVATE):
        assert not is_public(str(address))


URLS = """
    http://example.com/ ftp://example.com/ file:///etc/passwd gopher://example.com/ //example.com/ example.com
    https:// https://user@example.com/ https://user:password@example.com/ https://example.com:22/ https://example.com:8080/
    https://127.0.0.1/ https://127.0.0.1:8443/ https://[::1]/ https://[::ffff:169.254.169.254]/ https://169.254.169.254/
    https://[64:ff9b::a9fe:a9fe]/ https://10.0.0.1/ https://0/ https://0.0.0.0/ https://localhost/ https://LOCALHOST/
    https://2130706433/ https://0x7f.1/ https://127.1/ https://017700000001/ https://0x7f000001/ https://[fe80::1%25lo]/
    https://[::1 https://a\\@127.0.0.1/ https://example.com:99999/ https://①②⑦.⓪.⓪.①/
""".split()


@pytest.mark.parametrize("url", URLS)
async def test_an_address_of_this_machine_is_never_asked(url: str) -> None:
    """However it is spelled: by name, as one number, in hexadecimal, in circles."""
    with pytest.raises((OutboundRefused, OutboundFailed)) as fault:
        await Outbound().get(url, max_bytes=1000, seconds=5)
    # aiohttp refuses some spellings of numbers by itself, before it connects.
    assert fault.type is OutboundRefused or "InvalidUrl" in str(fault.value), fault.value


async def test_a_name_is_resolved_and_what_it_means_is_refused() -> None:
    with pytest.raises(OutboundRefused, match=r"localhost is at .* which is no public address"):
        await Outbound().get("https://localhost/", max_bytes=1000, seconds=5)


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[StandIn]:
    async with running_stand_in() as running:
        yield running


@pytest.fixture
def trusting(server: StandIn) -> Outbound:
    server.reset()
    return Outbound(["127.0.0.1"], allow_http=True)


async def test_an_operator_may_exempt_a_host(server: StandIn, trusting: Outbound) -> None:
    server.reset(lambda _: Reply(body=b"x" * 1000))
    assert await trusting.get(server.url, max_bytes=1000, seconds=5) == b"x" * 1000
    assert server.last.headers["accept-encoding"] == "identity"
    assert "cookie" not in server.last.headers
    for closed in (Outbound(allow_http=True), Outbound(["127.0.0.1"]), Outbound(["127.0.0.2"], allow_http=True)):
        with pytest.raises(OutboundRefused):
            await closed.get(server.url, max_bytes=1000, seconds=5)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(301, {"location": "/there"}),
        Reply(302, {"location": "http://127.0.0.1/there"}),
        Reply(307, {"location": "/there"}),
        Reply(204),
        Reply(404),
        Reply(500),
        Reply(body=b"x" * 1001),
        Reply(body=b"x" * 900_000),
        Reply(body=b"x" * 500, cut_at=100),
        Reply(after=3.0),
    ],
)
async def test_what_is_no_whole_short_answer_in_time_is_none(server: StandIn, trusting: Outbound, reply: Reply) -> None:
    server.reset(lambda _: reply)
    with pytest.raises(OutboundFailed):
        await trusting.get(server.url, max_bytes=1000, seconds=0.5)
    assert len(server.asked) == 1, "no redirect is followed, nothing is asked twice"


async def test_who_is_not_there_or_speaks_something_else(trusting: Outbound) -> None:
    with pytest.raises(OutboundFailed):
        await trusting.get(closed_url(), max_bytes=1000, seconds=5)
    async with running_babbler(b"SSH-2.0-OpenSSH_9.9\r\n") as url:
        with pytest.raises(OutboundFailed):
            await trusting.get(url, max_bytes=1000, seconds=5)


async def test_a_server_that_drips_is_left() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        try:
            for _ in range(100):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except OSError:
            pass
        finally:
            writer.close()

    dripping = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with dripping:
        port = dripping.sockets[0].getsockname()[1]
        with pytest.raises(OutboundFailed, match="within"):
            await Outbound(["127.0.0.1"], allow_http=True).get(f"http://127.0.0.1:{port}", max_bytes=2000, seconds=0.4)


class FickleNames(AbstractResolver):
    """Says of every name something else each time it is asked."""

    def __init__(self, *turns: list[str]) -> None:
        self.turns = list(turns)

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=AddressFamily.AF_INET, proto=0, flags=0)
            for address in self.turns.pop(0)
        ]

    async def close(self) -> None:
        """Nothing to do."""


async def test_a_name_that_means_something_else_a_moment_later_opens_nothing() -> None:
    """DNS rebinding: what was checked is what is connected to, and each new connection is checked anew."""
    asked: list[str] = []

    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append("somebody came")
        writer.close()

    inside = await asyncio.start_server(listen, "127.0.0.1", 8443)
    names = FickleNames(["203.0.113.7"], ["1.1.1.1", "127.0.0.1"], ["127.0.0.1"], ["127.0.0.1"])
    async with inside, Outbound(names=names).pool() as pool:
        for _ in range(4):
            with pytest.raises(OutboundRefused):
                await pool.post(
                    "https://fickle.example:8443/", b"", {}, seconds=3, connect_seconds=3, max_bytes=10
                )  # fmt: skip
    assert not asked
    assert not names.turns


async def test_a_pool_tells_what_came_back_and_how_far_it_was_read(server: StandIn, trusting: Outbound) -> None:
    server.reset(lambda asked: Reply(404, {"retry-after": "7"}, asked.body * 100))
    async with trusting.pool() as pool:
        for _ in range(3):
            answer = await pool.post(
                server.url, b"x" * 100, {"x-one": "1"}, seconds=5, connect_seconds=5, max_bytes=50
            )  # fmt: skip
            assert (answer.status, answer.body, answer.headers["Retry-After"]) == (404, b"x" * 50, "7")
            assert 0 < answer.seconds < 5
    assert server.last.headers["x-one"] == "1"
    async with trusting.pool() as pool:
        for reply, reason in ((Reply(after=2.0), "timeout"), (Reply(body=b"x" * 500, cut_at=10), "malformed_answer")):
            server.reset(lambda _, reply=reply: reply)
            with pytest.raises(OutboundFailed, match=reason):
                await pool.post(server.url, b"", {}, seconds=0.5, connect_seconds=0.5, max_bytes=1000)
        with pytest.raises(OutboundFailed, match="no_connection"):
            await pool.post(closed_url(), b"", {}, seconds=5, connect_seconds=5, max_bytes=10)
