"""API keys as texts: how one is made, recognised and kept. Pure."""

import hashlib
import re
import secrets
from typing import Final

from crm_contracts.ids import ApiKeyId

_PREFIX: Final = "relata_"
_RANDOM_BYTES: Final = 32
_BEGINNING = re.compile(r"relata_[0-9a-z]{26}(?=_)")
_KEY = re.compile(r"relata_[0-9a-z]{26}_[A-Za-z0-9_-]{43}")


def new_key(key_id: ApiKeyId) -> str:
    """A fresh key: `relata_<id part>_<256 random bits, base64url>`. Secret scanners can be taught the shape."""
    return f"{shown_prefix(key_id)}_{secrets.token_urlsafe(_RANDOM_BYTES)}"


def shown_prefix(key_id: str) -> str:
    """The part of a key that is no secret, by which people tell their keys apart."""
    return _PREFIX + key_id.rpartition("_")[2]


def looks_like_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


def prefix_in(text: str) -> str | None:
    """What `shown_prefix` says of the key that a text is, or would be."""
    match = _BEGINNING.match(text)
    return match.group() if match else None


def digest(key: str) -> bytes:
    """What is stored. Plain SHA-256: there is nothing to guess in 256 random bits (see ADR 0009)."""
    return hashed(key.encode())


def hashed(key: bytes) -> bytes:
    """`digest` of a key as it came over the wire."""
    return hashlib.sha256(key).digest()
