"""Pure decisions about preference links."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from crm_contracts.ids import ContactId, TenantId, prefix_of
from crm_kit.http.signed_tokens import InvalidToken, read_token, signed_token
from crm_kit.keyring import Keyring

_PURPOSE: Final = "relata.preferences.v1"


@dataclass(frozen=True, slots=True)
class PreferenceLink:
    """Whose preferences, and until when the link is good."""

    tenant_id: str
    contact_id: str
    expires_at: datetime

    def token(self, keyring: Keyring) -> str:
        return signed_token((self.tenant_id, self.contact_id, str(int(self.expires_at.timestamp()))), keyring, _PURPOSE)

    @classmethod
    def parse(cls, token: str, keyring: Keyring) -> Self:
        """Raises InvalidToken."""
        try:
            tenant_id, contact_id, expires = read_token(token, keyring, _PURPOSE)
            link = cls(tenant_id, contact_id, datetime.fromtimestamp(int(expires), UTC))
        except (ValueError, OverflowError) as error:
            raise InvalidToken from error
        if prefix_of(tenant_id) != TenantId.prefix or prefix_of(contact_id) != ContactId.prefix:
            raise InvalidToken
        return link
