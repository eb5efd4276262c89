"""The signed links that messages carry.

A token holds who unsubscribes from what, and an HMAC-SHA-256 (RFC 2104) over it: it needs no row to be understood,
names no address, and never expires, since a withdrawal must be as easy as the consent was. Who changes SECRET
invalidates the links of all mails sent before.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final, Self, get_args

from crm_contracts.contacts import Channel
from crm_contracts.ids import ContactId, MessageId, TenantId, prefix_of

_PURPOSE: Final = b"relata.unsubscribe.v1"
_MAX_TOKEN = 600


class InvalidToken(ValueError):
    """Not one of our tokens."""


@dataclass(frozen=True, slots=True)
class UnsubscribeLink:
    """Who withdraws which consent, by which message."""

    tenant_id: str
    message_id: str
    contact_id: str
    channel: str
    purpose: str

    def token(self, secret: str) -> str:
        payload = "\n".join((self.tenant_id, self.message_id, self.contact_id, self.channel, self.purpose)).encode()
        key = hmac.digest(secret.encode(), _PURPOSE, hashlib.sha256)
        return f"{_encoded(payload)}.{_encoded(hmac.digest(key, payload, hashlib.sha256))}"

    @classmethod
    def parse(cls, token: str, secret: str) -> Self:
        """Raises InvalidToken. The whole token is compared, so that there is one spelling of it."""
        payload = token.partition(".")[0]
        try:
            if len(token) > _MAX_TOKEN:
                raise InvalidToken
            fields = urlsafe_b64decode(payload.encode("ascii") + b"=" * (-len(payload) % 4)).decode().split("\n")
            link = cls(*fields)
        except (ValueError, TypeError) as error:
            raise InvalidToken from error
        if not hmac.compare_digest(link.token(secret).encode(), token.encode("utf-8", "replace")):
            raise InvalidToken
        if not link._well_formed():
            raise InvalidToken
        return link

    def _well_formed(self) -> bool:
        ids = ((self.tenant_id, TenantId), (self.message_id, MessageId), (self.contact_id, ContactId))
        return all(prefix_of(value) == kind.prefix for value, kind in ids) and self.channel in get_args(Channel)


def unsubscribe_url(public_url: str, token: str) -> str:
    return f"{public_url.rstrip('/')}/v1/unsubscribe/{token}"


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
