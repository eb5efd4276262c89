"""Where a request came from: told by the connection to the gateway, and by the gateway to the services."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

_ADDRESS: Final = "Relata-Client-Address"
_USER_AGENT: Final = "User-Agent"
_MAX_USER_AGENT: Final = 300


@dataclass(frozen=True, slots=True)
class Origin:
    """An IP address as text, and what the client calls itself; None for what is not known."""

    address: str | None
    user_agent: str | None


OriginOf = Callable[[Scope], Origin]
"""Reads a request's origin off its scope."""


def told_by_gateway(scope: Scope) -> Origin:
    """What the gateway passes on; it counts only beside a token of the gateway (`TransactionRoute` sees to that)."""
    headers = Headers(scope=scope)
    return Origin(_as_address(headers.get(_ADDRESS, "")), _printable(headers.get(_USER_AGENT, "")))


def passed_on(address: str | None, user_agent: str | None) -> Mapping[str, str]:
    """The headers that tell a service of an origin."""
    told = {_ADDRESS: address, _USER_AGENT: user_agent}
    return {name: value for name, value in told.items() if value}


def seen_from(hops: int) -> OriginOf:
    """The origin as the outermost process sees it, behind so many proxies of ours that each append to X-Forwarded-For.

    The last of them has appended its own peer, the one before that its peer, and so on: what stands further left was sent
    by the client, and is no better than its word. Without proxies it is the peer of the connection.
    """

    def origin(scope: Scope) -> Origin:
        headers = Headers(scope=scope)
        client = scope.get("client")
        address = _as_address(str(client[0])) if client else None
        if hops:
            told = ",".join(headers.getlist("x-forwarded-for")).split(",")
            address = _as_address(told[-hops]) if len(told) >= hops else address
        return Origin(address, _printable(headers.get(_USER_AGENT, "")))

    return origin


def _as_address(text: str) -> str | None:
    """None for what is no IP address; IPv4 within IPv6 as IPv4."""
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _printable(text: str) -> str | None:
    return "".join(character for character in text if " " <= character <= "~")[:_MAX_USER_AGENT].strip() or None
