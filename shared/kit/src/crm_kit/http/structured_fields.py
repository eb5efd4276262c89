"""The few structured fields (RFC 9651) that the API reads and writes.

Read: `Idempotency-Key`, a string item by its draft, sent bare by most clients. Written: `RateLimit` and
`RateLimit-Policy`, lists of string items with integer parameters.
"""

from __future__ import annotations

import re
from typing import Final

MAX_IDEMPOTENCY_KEY_LENGTH: Final = 255
MAX_INTEGER: Final = 999_999_999_999_999
"""The largest integer of a structured field (RFC 9651, section 3.3.1)."""

_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE_ITEM = r'(?:"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|\?[01]|[-A-Za-z0-9*:!#$%&\'+.^_`|~/@=]+)'
_PARAMETERS = re.compile(rf"(?:;\x20*[a-z*][a-z0-9_\-.*]*(?:={_BARE_ITEM})?)*")
_BARE_KEY = re.compile(r"[\x21\x23-\x2b\x2d-\x7e]+")  # visible ASCII without double quote and comma


class InvalidIdempotencyKey(ValueError):
    """An Idempotency-Key header that names no key: answer 400."""


def parse_idempotency_key(header: str) -> str:
    """The key in an Idempotency-Key header: `"8e03978e"`, parameters ignored, or bare `8e03978e`.

    Both spellings are the same key. A quoted key may hold spaces; a bare one is visible ASCII without `"`
    and `,` (a comma is what joins two headers into one). Raises InvalidIdempotencyKey.
    """
    header = header.strip(" ")
    key = _quoted_key(header) if header.startswith('"') else header
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY_LENGTH:
        raise InvalidIdempotencyKey(f"An Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} characters.")
    if not header.startswith('"') and _BARE_KEY.fullmatch(key) is None:
        raise InvalidIdempotencyKey(
            "An Idempotency-Key is visible ASCII; put it into double quotes if it holds others than letters and digits."
        )
    return key


def _quoted_key(header: str) -> str:
    string = _STRING.match(header)
    if string is None or _PARAMETERS.fullmatch(header, string.end()) is None:
        raise InvalidIdempotencyKey('A quoted Idempotency-Key is one string of printable ASCII, such as "8e03978e".')
    return re.sub(r"\\(.)", r"\1", string[1])


def rate_limit_policy(name: str, *, quota: int, window_seconds: int) -> str:
    """The RateLimit-Policy field: how many requests are allowed in a window of how many seconds."""
    return f"{string_item(name)};q={_integer(quota)};w={_integer(window_seconds)}"


def string_item(text: str) -> str:
    """A string item (RFC 9651, section 3.3.3)."""
    if not (text.isascii() and text.isprintable()):
        raise ValueError(f"{text!r} is not printable ASCII.")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _integer(number: int) -> int:
    if not 0 <= number <= MAX_INTEGER:
        raise ValueError(f"{number} is not within 0 and {MAX_INTEGER}.")
    return number
