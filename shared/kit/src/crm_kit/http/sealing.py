"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key derived from the service's own secret (RFC 5869)."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES: Final = 12


class Unsealable(ValueError):
    """Not sealed by us, for this purpose, for this place, under the present secret."""


class Sealer:
    """Seals texts for one purpose; another purpose under the same secret has another key."""

    def __init__(self, secret: str, purpose: str) -> None:
        derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode())
        self._cipher = AESGCM(derive.derive(secret.encode()))

    def seal(self, plain: bytes, place: str) -> bytes:
        """Opens only for the same `place`, so that a sealed text cannot be moved to another row."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Raises Unsealable."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise Unsealable("cannot be opened") from error
