"""Requests to addresses that a client gave: what may be asked, and how much of the answer is read.

The name is resolved once, every address that it has is checked, and the connection goes to one of those: a name that
means something else a moment later changes nothing. No redirect is followed, no proxy of the environment asked.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import AddressFamily
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

_PORTS: Final = frozenset({443, 8443})
# `is_global` takes these for public: protocol assignments, the 6to4 relay, a cloud's own wire server.
_CLOSED_V4: Final = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))
_OPEN_V6: Final = ip_network("2000::/3")
# Teredo and other assignments, 6to4, documentation. NAT64 and IPv4-mapped addresses lie outside of 2000::/3.
_CLOSED_V6: Final = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))


class OutboundRefused(Exception):
    """The address may not be asked. The text says why, for logs: not for whoever gave the address."""


class OutboundFailed(Exception):
    """It was asked and gave no usable answer; the text says what happened, for logs."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of a host in the public Internet, reached as itself and not through a translator."""
    ip = ip_address(address)
    if isinstance(ip, IPv4Address):
        return ip.is_global and not ip.is_multicast and not any(ip in network for network in _CLOSED_V4)
    return ip in _OPEN_V6 and ip.is_global and not any(ip in network for network in _CLOSED_V6)


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back: its body as far as it was read, and how many seconds all of it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


def refuse_form(url: str) -> URL:
    """The URL, whose form may be asked. Raises OutboundRefused for what is none, names a user, or has a fragment."""
    try:
        urlsplit(url)  # what one reader takes for a URL and another does not is none
        target = URL(url)
        host = target.host
        _ = target.port
    except ValueError as error:
        raise OutboundRefused("it is no URL") from error
    if target.scheme not in ("http", "https") or not host:
        raise OutboundRefused("it is no http URL of a host")
    if target.user or target.password or target.raw_fragment:
        raise OutboundRefused("it names a user, or has a fragment")
    return target


class Outbound:
    """`trusted_hosts`: names and addresses that the operator exempts from the check of address and port.

    `allow_http`: whether those may be asked without TLS, too. `names`: who says what names stand for; the system if left out.
    """

    def __init__(
        self, trusted_hosts: Collection[str] = (), *, allow_http: bool = False, names: AbstractResolver | None = None
    ) -> None:
        self._trusted = frozenset(host.lower() for host in trusted_hosts)
        self._allow_http = allow_http
        self._names = names

    async def get(self, url: str, *, max_bytes: int, seconds: float, accept: str = "application/json") -> bytes:
        """The body of a 200. Raises OutboundRefused, OutboundFailed."""
        target = self.check(url)
        headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "relata"}
        try:
            async with (
                asyncio.timeout(seconds),
                self._session() as session,
                session.get(target, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise OutboundFailed(f"the answer was {answer.status}")
                body = await _first(answer, max_bytes + 1)
        except TimeoutError as error:
            raise OutboundFailed(f"no answer within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(cause := error.__cause__, _ClosedAddress):
                raise OutboundRefused(str(cause)) from error
            raise OutboundFailed(f"it could not be asked ({type(error).__name__})") from error
        if len(body) > max_bytes:
            raise OutboundFailed(f"the answer has more than {max_bytes} bytes")
        return body

    @asynccontextmanager
    async def pool(self) -> AsyncIterator["OutboundPool"]:
        """Connections that are kept open from one request to the next, each to an address that was checked."""
        async with self._session(keep=True) as session:
            yield OutboundPool(self, session)

    def check(self, url: str) -> URL:
        """The URL as it may be asked; names are resolved when it is. Raises OutboundRefused."""
        target = refuse_form(url)
        host = (target.host or "").lower()
        trusted = host in self._trusted
        if target.scheme != "https" and not (trusted and self._allow_http):
            raise OutboundRefused("it is not https")
        if trusted:
            return target
        if target.port not in _PORTS:
            raise OutboundRefused(f"port {target.port} is closed")
        if _is_address(host) and not is_public(host):  # aiohttp asks no resolver for these
            raise OutboundRefused(f"{host} is no public address")
        return target

    def _session(self, *, keep: bool = False) -> aiohttp.ClientSession:
        resolver = _CheckedResolver(self._trusted, self._names or aiohttp.ThreadedResolver())
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=not keep, limit=0)
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False
        )


class OutboundPool:
    """Made by `Outbound.pool`."""

    def __init__(self, outbound: Outbound, session: aiohttp.ClientSession) -> None:
        self._outbound = outbound
        self._session = session

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float,
        connect_seconds: float,
        max_bytes: int,
    ) -> Answered:
        """The answer, whatever its status, and its body's first bytes. Raises OutboundRefused, OutboundFailed."""
        limits = aiohttp.ClientTimeout(total=seconds, connect=connect_seconds)
        return await self._ask("POST", url, body, headers, limits, max_bytes)

    async def get(
        self, url: str, headers: Mapping[str, str], *, seconds: float, connect_seconds: float, max_bytes: int
    ) -> Answered:
        """As `post`."""
        limits = aiohttp.ClientTimeout(total=seconds, connect=connect_seconds)
        return await self._ask("GET", url, None, headers, limits, max_bytes)

    async def _ask(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        limits: aiohttp.ClientTimeout,
        max_bytes: int,
    ) -> Answered:
        target = self._outbound.check(url)
        sent = {"Accept-Encoding": "identity", "User-Agent": "relata", **headers}
        began = time.perf_counter()
        try:
            async with self._session.request(
                method, target, data=body, headers=sent, allow_redirects=False, timeout=limits
            ) as answer:
                read = await _first(answer, max_bytes)
                return Answered(answer.status, answer.headers, read, time.perf_counter() - began)
        except TimeoutError as error:
            raise OutboundFailed("timeout") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(cause := error.__cause__, _ClosedAddress):
                raise OutboundRefused(str(cause)) from error
            raise OutboundFailed(_reason(error)) from error


async def _first(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """So many bytes of a body, or all of a shorter one; the rest is not read."""
    read = b""
    while len(read) < most and (more := await answer.content.read(most - len(read))):
        read += more
    return read


def _reason(error: Exception) -> str:
    """A word for why there is no answer."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | aiohttp.ClientSSLError():
            return "tls"
        case aiohttp.ClientConnectorDNSError():
            return "name_not_found"
        case aiohttp.ClientConnectorError():
            return "no_connection"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError() | aiohttp.InvalidURL():
            return "malformed_answer"
        case _:
            return "connection_lost"


class _ClosedAddress(OSError):
    pass


class _CheckedResolver(AbstractResolver):
    def __init__(self, trusted: frozenset[str], names: AbstractResolver) -> None:
        self._trusted = trusted
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        if host.lower() not in self._trusted:
            for one in found:
                if not is_public(one["host"]):
                    raise _ClosedAddress(f"{host} is at {one['host']}, which is no public address")
        return found

    async def close(self) -> None:
        await self._names.close()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one household or host has of IPv6."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))
    return str(ip)
