"""Access tokens that the gateway gives to machine clients (RFC 6749 §4.4, RFC 9068): signed by it, for itself alone."""

import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from joserfc import jwt
from joserfc.jwk import OKPKey

from gateway.access.tokens import Expected, TokenRefused, Unverified, verify

AUDIENCE: Final = "relata-api"
LIFETIME_SECONDS: Final = 600
_ALGORITHM: Final = "Ed25519"


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What a verified token of ours says: the key that it stands for, and what of that key's scopes it was given."""

    key_id: str
    scopes: frozenset[str]
    expires_at: datetime


class IssuedTokens:
    """`keys`: the first signs, all verify. `issuer` is the gateway's public address. The keys also sign internal tokens, which
    have another issuer, another audience and other verifiers: neither passes for the other.
    """

    def __init__(self, keys: Sequence[OKPKey], issuer: str, clock: Callable[[], float] = time.time) -> None:
        self.issuer = issuer
        self._key = keys[0]
        self._by_id = {key.kid: key for key in keys}
        self._clock = clock
        self._expected = Expected(
            issuer=issuer,
            audiences=frozenset({AUDIENCE}),
            algorithms=frozenset({_ALGORITHM}),
            token_types=frozenset({"at+jwt"}),
            leeway_seconds=5,
            required_claims={},
        )

    def issue(self, key_id: str, scopes: Collection[str]) -> str:
        now = int(self._clock())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": key_id,
            "client_id": key_id,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": secrets.token_urlsafe(16),
            "scope": " ".join(sorted(scopes)),
        }
        header = {"alg": _ALGORITHM, "typ": "at+jwt", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])

    def read(self, seen: Unverified) -> IssuedToken:
        """Raises TokenRefused."""
        key = self._by_id.get(seen.key_id)
        if key is None:
            raise TokenRefused("unknown_key")
        verify(seen, [key], self._expected)
        return IssuedToken(
            key_id=str(seen.claims["sub"]),
            scopes=frozenset(str(seen.claims.get("scope", "")).split()),
            expires_at=datetime.fromtimestamp(seen.claims["exp"], UTC),
        )
