"""What the proxy lets through. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

_SAFE_PATH = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)+")
_MAX_PATH: Final = 2_000
_USUAL_QUERY = re.compile(rb"[!-\"$-~]*")
_FORBIDDEN_BYTES: Final = frozenset(b"/\\\x7f") | frozenset(range(0x20))

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

_REQUEST_HEADERS: Final = (
    "accept",
    "accept-language",
    "content-type",
    "if-match",
    "if-none-match",
    "idempotency-key",
    "prefer",
)
_RESPONSE_HEADERS: Final = frozenset(
    {
        "accept-patch",
        "allow",
        "cache-control",
        "consistency-token",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-security-policy",
        "content-type",
        "deprecation",
        "etag",
        "idempotent-replayed",
        "last-modified",
        "link",
        "location",
        "preference-applied",
        "referrer-policy",
        "relata-stale",
        "retry-after",
        "sunset",
        "vary",
        "x-content-type-options",
    }
)


def safe_path(raw_path: bytes) -> str | None:
    """The path to forward, byte for byte; None for one that could be read as another path further on.

    Refused are empty and dot segments, and encoded slashes, backslashes and control characters: a service, or a
    client library in between, may decode and resolve them, and `/v1/x/..` would then leave `/v1`.
    """
    path = raw_path.decode("latin-1")
    if len(path) > _MAX_PATH or not _SAFE_PATH.fullmatch(path):
        return None
    segments = path[1:].split("/")
    if "%" not in path:
        return None if "." in segments or ".." in segments else path
    for segment in segments:
        decoded = unquote_to_bytes(segment)
        if decoded in (b".", b"..") or not _FORBIDDEN_BYTES.isdisjoint(decoded):
            return None
    return path


def safe_query(query: bytes) -> str:
    """The query to forward: as sent, with what no URL may hold percent-encoded."""
    if _USUAL_QUERY.fullmatch(query):
        return query.decode("ascii")
    return "".join(chr(byte) if 0x21 <= byte < 0x7F and byte != 0x23 else f"%{byte:02X}" for byte in query)


def forwarded_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Of the client's headers those that a service reads; a repeated one joined by commas (RFC 9110, section 5.3).

    Never Authorization, Host, Cookie, hop-by-hop headers, or what claims where the request came from.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in _REQUEST_HEADERS:
            found[name] = f"{found[name]}, {value}" if name in found else value
    found["accept-encoding"] = "identity"
    return found


def answered_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Of a service's headers those that a client reads."""
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in headers.items()
        if name.lower() in _RESPONSE_HEADERS
    ]
