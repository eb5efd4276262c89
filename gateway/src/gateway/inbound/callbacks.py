"""Callbacks of WeCom and DingTalk: signed by SHA-1, encrypted by AES-256-CBC, verified by an echo. Pure.

WeCom: developer.work.weixin.qq.com/document/path/90968. DingTalk uses the same scheme with JSON around it.
"""

import base64
import binascii
import hashlib
import hmac
import os
import struct
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

TOLERANCE_SECONDS: Final = 600
_BLOCK: Final = 32
_RANDOM: Final = 16
_KEY_LENGTH: Final = 43


class InvalidCallback(ValueError):
    """Not signed, encrypted or addressed as the key says."""


@dataclass(frozen=True, slots=True)
class CallbackKey:
    """`receive_id`: the corp id or app key that a message must be addressed to; None: it is not looked at."""

    token: str
    encoding_aes_key: str
    receive_id: str | None

    @property
    def aes_key(self) -> bytes:
        """Raises InvalidCallback."""
        try:
            key = base64.b64decode(self.encoding_aes_key + "=", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidCallback("the AES key is not base64") from error
        if len(self.encoding_aes_key) != _KEY_LENGTH or len(key) != _BLOCK:
            raise InvalidCallback("the AES key has 43 characters")
        return key

    def signature(self, timestamp: str, nonce: str, encrypted: str) -> str:
        parts = sorted((self.token, timestamp, nonce, encrypted))
        return hashlib.sha1("".join(parts).encode()).hexdigest()  # noqa: S324  # theirs

    def opened(self, signature: str, timestamp: str, nonce: str, encrypted: str, now: float) -> bytes:
        """The message within. Raises InvalidCallback."""
        wanted = self.signature(timestamp, nonce, encrypted)
        if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
            raise InvalidCallback("the signature does not fit")
        if not timestamp.isascii() or not timestamp.isdecimal() or len(timestamp) > 13:
            raise InvalidCallback("the timestamp is no number")
        seconds = int(timestamp) / (1000 if len(timestamp) == 13 else 1)  # DingTalk counts milliseconds
        if abs(now - seconds) > TOLERANCE_SECONDS:
            raise InvalidCallback("the timestamp is not of now")
        return self._decrypted(encrypted)

    def _decrypted(self, encrypted: str) -> bytes:
        key = self.aes_key
        try:
            raw = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidCallback("the message is not base64") from error
        if not raw or len(raw) % 16:
            raise InvalidCallback("the message is not whole blocks")
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        plain = decryptor.update(raw) + decryptor.finalize()
        padding = plain[-1]
        if not 1 <= padding <= _BLOCK or plain[-padding:] != bytes([padding]) * padding:
            raise InvalidCallback("the padding is wrong")
        plain = plain[:-padding]
        if len(plain) < _RANDOM + 4:
            raise InvalidCallback("the message is too short")
        (length,) = struct.unpack("!I", plain[_RANDOM : _RANDOM + 4])
        message, receive_id = plain[_RANDOM + 4 :][:length], plain[_RANDOM + 4 + length :]
        if len(message) != length:
            raise InvalidCallback("the message is cut off")
        if self.receive_id is not None and receive_id != self.receive_id.encode():
            raise InvalidCallback("it is addressed to somebody else")
        return message

    def encrypted(self, message: bytes) -> str:
        key = self.aes_key
        plain = os.urandom(_RANDOM) + struct.pack("!I", len(message)) + message + (self.receive_id or "").encode()
        padding = _BLOCK - len(plain) % _BLOCK
        encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
        return base64.b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()

    def answer(self, message: str, timestamp: str, nonce: str) -> dict[str, str]:
        """What DingTalk wants to be answered."""
        encrypted = self.encrypted(message.encode())
        return {
            "msg_signature": self.signature(timestamp, nonce, encrypted),
            "timeStamp": timestamp,
            "nonce": nonce,
            "encrypt": encrypted,
        }
