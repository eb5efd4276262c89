"""The signed links that messages carry.

A token holds who unsubscribes from what: it names no address, and never expires, since a withdrawal must be as easy as the
consent was. It counts as long as the secret that signed it does: a SECRET of before has to stay among the fallbacks.
"""

from dataclasses import astuple, dataclass
from typing import Final, Self, get_args

from crm_contracts.contacts import Channel
from crm_contracts.ids import ContactId, MessageId, TenantId, prefix_of
from crm_kit.http.signed_tokens import InvalidToken, read_token, signed_token
from crm_kit.keyring import Keyring

_PURPOSE: Final = "relata.unsubscribe.v1"


@dataclass(frozen=True, slots=True)
class UnsubscribeLink:
    """Who withdraws which consent, by which message."""

    tenant_id: str
    message_id: str
    contact_id: str
    channel: str
    purpose: str

    def token(self, keyring: Keyring) -> str:
        return signed_token(astuple(self), keyring, _PURPOSE)

    @classmethod
    def parse(cls, token: str, keyring: Keyring) -> Self:
        """Raises InvalidToken."""
        try:
            link = cls(*read_token(token, keyring, _PURPOSE))
        except TypeError as error:
            raise InvalidToken from error
        if not link._well_formed():
            raise InvalidToken
        return link

    def _well_formed(self) -> bool:
        ids = ((self.tenant_id, TenantId), (self.message_id, MessageId), (self.contact_id, ContactId))
        return all(prefix_of(value) == kind.prefix for value, kind in ids) and self.channel in get_args(Channel)


def unsubscribe_url(public_url: str, token: str) -> str:
    return f"{public_url.rstrip('/')}/v1/unsubscribe/{token}"
