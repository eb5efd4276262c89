"""Secrets and signatures of webhooks as Standard Webhooks 1.0 has them, symmetric: HMAC-SHA256."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # how secrets begin
_SECRET_BYTES: Final = 32
_LEAST_SECRET_BYTES: Final = 24
_MOST_SECRET_BYTES: Final = 64


def new_secret() -> str:
    """`whsec_` and 32 random bytes in Base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes | None:
    """The bytes that sign; None for what is no secret of the form, or not of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if secret.startswith(SECRET_PREFIX) and _LEAST_SECRET_BYTES <= len(key) <= _MOST_SECRET_BYTES else None


def signature(message_id: str, timestamp: str, body: bytes, key: bytes) -> str:
    """One of `webhook-signature`, over id, timestamp (seconds since 1970, in digits) and the exact body."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def signed_headers(message_id: str, moment: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` and `webhook-signature`, by each key."""
    timestamp = str(int(moment.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signature(message_id, timestamp, body, key) for key in keys),
    }
