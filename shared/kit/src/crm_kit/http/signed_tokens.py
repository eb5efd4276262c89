"""Tokens for links that anybody may follow who was given them: texts in clear, and an HMAC-SHA-256 (RFC 2104) over them.

They need no row to be understood. A secret that is neither the present one nor a fallback any more voids all that it signed.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

from crm_kit.keyring import Keyring

_MAX_TOKEN: Final = 600


class InvalidToken(ValueError):
    """Not one of our tokens."""


def signed_token(fields: Sequence[str], keyring: Keyring, purpose: str) -> str:
    """`fields` hold no line breaks; `purpose` keeps a token of one kind of link from being one of another."""
    return _signed(fields, keyring.present, purpose)


def _signed(fields: Sequence[str], secret: str, purpose: str) -> str:
    payload = "\n".join(fields).encode()
    key = hmac.digest(secret.encode(), purpose.encode(), hashlib.sha256)
    return f"{_encoded(payload)}.{_encoded(hmac.digest(key, payload, hashlib.sha256))}"


def read_token(token: str, keyring: Keyring, purpose: str) -> list[str]:
    """The fields. Raises InvalidToken. The whole token is compared, so that there is one spelling of it."""
    payload = token.partition(".")[0]
    try:
        if len(token) > _MAX_TOKEN:
            raise InvalidToken
        fields = urlsafe_b64decode(payload.encode("ascii") + b"=" * (-len(payload) % 4)).decode().split("\n")
    except ValueError as error:
        raise InvalidToken from error
    given = token.encode("utf-8", "replace")
    if not any(hmac.compare_digest(_signed(fields, secret, purpose).encode(), given) for secret in keyring):
        raise InvalidToken
    return fields


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
