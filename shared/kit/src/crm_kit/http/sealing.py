"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key derived from the service's own secret (RFC 5869).

A sealed text begins with a mark of its key: so it is known which secret opens it, and what is still under another than the
present one is found without opening anything. Texts from before there were marks begin with their nonce; those open too.
"""

import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crm_kit.keyring import Keyring

_VERSION: Final = b"\x01"
_KEY_BYTES: Final = 32
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
MARK_BYTES: Final = len(_VERSION) + _ID_BYTES
"""Length of the mark."""


class Unsealable(ValueError):
    """Not sealed by us, for this purpose, for this place, under one of the secrets that count."""


@dataclass(frozen=True, slots=True)
class _Key:
    mark: bytes
    cipher: AESGCM

    @classmethod
    def of(cls, secret: str, purpose: str) -> "_Key":
        # The mark is another block of the derivation, which tells nothing of the key.
        derive = HKDF(algorithm=SHA256(), length=_KEY_BYTES + _ID_BYTES, salt=None, info=purpose.encode())
        material = derive.derive(secret.encode())
        return cls(_VERSION + material[_KEY_BYTES:], AESGCM(material[:_KEY_BYTES]))

    def open(self, sealed: bytes, place: str) -> bytes | None:
        try:
            return self.cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            return None


class Sealer:
    """Seals texts for one purpose; another purpose under the same secret has another key."""

    def __init__(self, keyring: Keyring, purpose: str) -> None:
        self.purpose = purpose
        self._keys = [_Key.of(secret, purpose) for secret in keyring]

    @property
    def mark(self) -> bytes:
        """What everything begins with that is sealed under the present secret."""
        return self._keys[0].mark

    @property
    def marks(self) -> list[bytes]:
        """Of all secrets that count."""
        return [key.mark for key in self._keys]

    def seal(self, plain: bytes, place: str) -> bytes:
        """Opens only for the same `place`, so that a sealed text cannot be moved to another row."""
        nonce = os.urandom(_NONCE_BYTES)
        return self.mark + nonce + self._keys[0].cipher.encrypt(nonce, plain, place.encode())

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Raises Unsealable, which names the key that is missing."""
        for key in self._keys:
            if sealed.startswith(key.mark):
                opened = key.open(sealed[MARK_BYTES:], place)
                if opened is not None:
                    return opened
        for key in self._keys:
            opened = key.open(sealed, place)
            if opened is not None:
                return opened
        raise Unsealable(
            f"sealed under key {key_name(sealed)}, which neither SECRET nor SECRET_FALLBACKS gives, or touched since"
        )


def key_name(sealed: bytes) -> str:
    """Which key a text says that it is sealed under, for people: it tells nothing of the secret."""
    return sealed[len(_VERSION) : MARK_BYTES].hex() if sealed.startswith(_VERSION) else "without a mark"
