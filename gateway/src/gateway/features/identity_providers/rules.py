"""What a verified token's claims say about a person, by a provider's mapping. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from crm_contracts.sign_in import IdentityProvider

from gateway.access.tokens import TokenRefused

_MAX_VALUES: Final = 1_000
_MAX_SUBJECT: Final = 255
_MAX_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Claimed:
    """Whom a token speaks of. `teams` is manager or not by team, None where the provider says nothing of teams."""

    subject: str
    name: str | None
    email: str | None
    email_verified: bool
    teams: Mapping[str, bool] | None
    roles: tuple[str, ...]
    issued_at: datetime

    @property
    def digest(self) -> bytes:
        """Of what is kept in step with the claims: the same digest, nothing to do."""
        return hashlib.sha256(json.dumps([self.teams, self.roles], sort_keys=True).encode()).digest()


def read_claims(provider: IdentityProvider, claims: Mapping[str, Any]) -> Claimed:
    """Raises TokenRefused."""
    names = provider.claims
    subject = claim(claims, names.subject)
    if not isinstance(subject, str) or not 1 <= len(subject) <= _MAX_SUBJECT or not _storable(subject):
        raise TokenRefused("subject")
    email, name = claim(claims, names.email), claim(claims, names.name)
    groups = _values(claims, names.groups)
    roles = _values(claims, names.roles) | groups
    verified = claims.get("email_verified")
    claimed = Claimed(
        subject=subject,
        name=name.strip()[:_MAX_NAME] or None if isinstance(name, str) and _storable(name) else None,
        email=email if isinstance(email, str) else None,
        email_verified=verified is True or verified == "true",  # some issuers write it as a text
        teams=_teams(provider, groups) if names.groups is not None else None,
        roles=tuple(sorted({mapping.role for mapping in provider.roles if mapping.value in roles})),
        issued_at=_issued_at(claims),
    )
    _check_domain(provider, claimed)
    return claimed


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of that name, or what stands at that path: `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _values(claims: Mapping[str, Any], name: str | None) -> set[str]:
    found = claim(claims, name) if name is not None else None
    texts = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return {text for text in texts[:_MAX_VALUES] if isinstance(text, str)}


def _teams(provider: IdentityProvider, groups: set[str]) -> dict[str, bool]:
    teams: dict[str, bool] = {}
    for mapping in provider.teams:
        if mapping.value in groups:
            teams[mapping.team_id] = teams.get(mapping.team_id, False) or mapping.manager
    return teams


def _check_domain(provider: IdentityProvider, claimed: Claimed) -> None:
    if not provider.domains:
        return
    domain = (claimed.email or "").rpartition("@")[2].lower()
    if not claimed.email_verified or domain not in provider.domains:
        raise TokenRefused("domain")


def _issued_at(claims: Mapping[str, Any]) -> datetime:
    """Of a token without `iat`: as if it were older than every other."""
    at = claims.get("iat", 0)
    try:
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        raise TokenRefused("iat") from None


def _storable(text: str) -> bool:
    return text.isprintable()
