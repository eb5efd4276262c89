"""What a person may do, made into a principal: the one place."""

from collections.abc import Collection
from typing import Final

from crm_kit.http.principal import Principal

ADMINISTRATORS: Final = "admin"
"""The role whose holders administer access, too."""

_EVERYBODY: Final = frozenset({"read", "write"})


def principal_of_user(user_id: str, tenant_id: str, region: str, roles: Collection[str]) -> Principal:
    """`roles`: the names that their provider's claims were mapped to."""
    scopes = _EVERYBODY | ({"admin"} if ADMINISTRATORS in roles else set())
    return Principal(user_id, tenant_id, region, scopes)
