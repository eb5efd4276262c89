"""Where a request came from: told by the connection to the gateway, and by the gateway to the services."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

from starlette.datastructures import Headers
from starlette.types import Scope

from crm_kit.context import BEGINNING, Chain

_ADDRESS: Final = "Relata-Client-Address"
_USER_AGENT: Final = "User-Agent"
_MAX_USER_AGENT: Final = 300
_LONGEST_ADDRESS: Final = 200
_LONGEST_USER_AGENT: Final = 1_000
"""What follows is not looked at."""
_REMEMBERED: Final = 1_000
"""Of addresses and of what clients call themselves: most requests come from who has just asked."""
CORRELATION: Final = "Relata-Correlation-Id"
CAUSATION: Final = "Relata-Causation-Id"
HOPS: Final = "Relata-Hops"
CHAIN_HEADERS: Final = frozenset({CAUSATION.lower().encode(), HOPS.lower().encode()})
"""In lower case: a request that has one of them follows from an event."""

MAX_HOPS: Final = 8
"""How often a chain of changes may leave Relata and come back: more is a loop between two systems."""

_CHAIN_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_COUNT: Final = re.compile(r"[0-9]{1,9}")
_MOST_COUNTED: Final = 100


class Origin(NamedTuple):
    """An IP address as text, and what the client calls itself; None for what is not known. `chain`: what it follows from."""

    address: str | None
    user_agent: str | None
    chain: Chain = BEGINNING


OriginOf = Callable[[Scope], Origin]
"""Reads a request's origin off its scope."""


def told_by_gateway(scope: Scope) -> Origin:
    """What the gateway passes on; it counts only beside a token of the gateway (`TransactionRoute` sees to that)."""
    headers = Headers(scope=scope)
    chain = _chain(headers)
    return Origin(_as_address(headers.get(_ADDRESS, "")), _printable(headers.get(_USER_AGENT, "")), chain)


def passed_on(address: str | None, user_agent: str | None, chain: Chain) -> Mapping[str, str]:
    """The headers that tell a service of an origin."""
    told = {_ADDRESS: address, _USER_AGENT: user_agent}
    return {name: value for name, value in told.items() if value} | (chain_headers(chain) if chain.hops else {})


def chain_headers(chain: Chain) -> dict[str, str]:
    """As requests tell it: ours to the services, and our webhooks, whose receivers send them back with what they write."""
    told = {CORRELATION: chain.correlation_id, CAUSATION: chain.causation_id, HOPS: str(chain.hops)}
    return {name: value for name, value in told.items() if value is not None}


def chain_returned(headers: Headers) -> Chain:
    """What a request from outside follows from: an event of ours that was told there, and one hop more."""
    chain = _chain(headers)
    if chain is BEGINNING:
        return chain
    return Chain(chain.correlation_id, chain.causation_id, min(chain.hops, _MOST_COUNTED) + 1)


def _chain(headers: Headers) -> Chain:
    """What is not as we write it is left out: the count of hops is then that of a chain which has just begun."""
    causation, hops = headers.get(CAUSATION), headers.get(HOPS)
    if causation is None and hops is None:
        return BEGINNING
    return Chain(_id(headers.get(CORRELATION)), _id(causation), int(hops) if hops and _COUNT.fullmatch(hops) else 0)


def _id(text: str | None) -> str | None:
    return text if text and _CHAIN_ID.fullmatch(text) else None


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
        return Origin(address, _printable(headers.get(_USER_AGENT, "")), chain_returned(headers))

    return origin


def _as_address(text: str) -> str | None:
    """None for what is no IP address; IPv4 within IPv6 as IPv4."""
    return _address_in(text) if len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=_REMEMBERED)
def _address_in(text: str) -> str | None:
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _printable(text: str) -> str | None:
    return _printable_in(text[:_LONGEST_USER_AGENT])


@lru_cache(maxsize=_REMEMBERED)
def _printable_in(text: str) -> str | None:
    return "".join(character for character in text if " " <= character <= "~")[:_MAX_USER_AGENT].strip() or None
