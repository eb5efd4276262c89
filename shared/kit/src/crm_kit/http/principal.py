"""Who asks: the internal token that the gateway mints and every service verifies for itself."""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self

from fastapi import Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey
from pydantic import JsonValue

from crm_kit.errors import Forbidden, Text, Unauthenticated
from crm_kit.http.fast_path import FastRequest
from crm_kit.http.middleware import TENANT
from crm_kit.rights.grants import NAMED_ALONE, Rights

ISSUER: Final = "relata-gateway"
AUDIENCE: Final = "relata-services"
_ALGORITHM: Final = "Ed25519"
_LIFETIME_SECONDS: Final = 60
_LEEWAY_SECONDS: Final = 5
_CACHE_SIZE: Final = 4096

ScopeAction = Literal["read", "write", "admin"]
"""What a scope speaks of: `read` covers reading and exporting, `write` every other action on records."""

_SCOPES: Final[Mapping[str, ScopeAction]] = {
    "read": "read",
    "export": "read",
    "create": "write",
    "update": "write",
    "delete": "write",
    "assign": "write",
}


@lru_cache(maxsize=2_000)
def scope_of(permission: str) -> str:
    """The scope that covers a permission: `<resource>:write` covers `<resource>:create`."""
    resource, colon, action = permission.rpartition(":")
    return f"{resource}{colon}{_SCOPES.get(action, action)}"


ADMINISTRATION: Final = "admin"
"""Stands where a tenant's id stands, and can be none: of the tables' rows it sees those that a policy opens to it."""


APART: Final = frozenset({"audit-log"})
"""Resources that no scope of an action covers: their permission is given by name, or belongs to who administers access."""


@dataclass(frozen=True, slots=True)
class Principal:
    """`tenant_id` is None on a public route, whose caller nobody knows, and for the administrator of all tenants.

    `scopes` bound what a credential is good for: an action covers every resource, `<resource>:<action>` that one alone.
    `rights` are those of a user, or of a key with roles; without any, the scopes alone decide. `via`: the credential,
    where that is not the subject itself.
    """

    subject: str
    tenant_id: str | None
    region: str = "CN"
    scopes: frozenset[str] = frozenset()
    rights: Rights | None = None
    via: str = ""

    def holds(self, scope: str) -> bool:
        """Whether the credential is good for a scope, whatever rights there are behind it."""
        resource, _, action = scope.rpartition(":")
        return scope in self.scopes or (ADMINISTRATION if resource in APART else action) in self.scopes

    def may(self, permission: str) -> bool:
        """Whether a permission is held, on some records at least: `<resource>:<action>`, or an action on whatever there is."""
        resource, _, action = permission.rpartition(":")
        if not self.holds(scope_of(permission)):
            return False
        if self.rights is None or self.rights.is_unlimited:
            return True
        if action == "admin" or (resource in NAMED_ALONE and self.rights.admin):
            return self.rights.admin
        return bool(resource) and self.rights.may(resource, action)

    def as_json(self) -> dict[str, JsonValue]:
        """To be kept with what is to be done in this name later."""
        return {
            "subject": self.subject,
            "tenant_id": self.tenant_id,
            "region": self.region,
            "scopes": list[JsonValue](sorted(self.scopes)),
            "rights": None if self.rights is None else self.rights.text,
            "via": self.via,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Raises ValueError for rights that this release does not understand."""
        rights = None if kept["rights"] is None else Rights.parse(kept["rights"])
        return cls(**{**kept, "scopes": frozenset(kept["scopes"]), "rights": rights})

    @property
    def credential(self) -> str:
        """What it came with: the key, or the token's subject."""
        return self.via or self.subject

    @property
    def realm(self) -> str | None:
        """What its transactions are opened for: its tenant, or ADMINISTRATION for who administers all of them."""
        return self.tenant_id or (ADMINISTRATION if "admin" in self.scopes else None)


ANONYMOUS = Principal(subject="anonymous", tenant_id=None)


class Authenticator(Protocol):
    async def authenticate(self, request: Request) -> Principal:
        """Raises Unauthenticated."""

    def authenticate_known(self, request: FastRequest) -> Principal | None:
        """Whose credential was seen lately and is good still; None for any other request."""


class TokenMint:
    """Signs internal tokens (RFC 7519, typ `at+jwt` as in RFC 9068); one lives a minute."""

    def __init__(self, private_jwk: OKPKey, clock: Callable[[], float] = time.time) -> None:
        self._key = private_jwk
        self._clock = clock
        self._cache: OrderedDict[Principal, tuple[float, str]] = OrderedDict()

    @classmethod
    def from_file(cls, path: str) -> "TokenMint":
        return cls(OKPKey.import_key(json.loads(Path(path).read_text())))

    def public_jwks(self) -> dict[str, object]:
        return {"keys": [{**self._key.as_dict(private=False), "use": "sig", "alg": _ALGORITHM}]}

    def token(self, principal: Principal) -> str:
        """A token for `principal` that is good for at least half its lifetime."""
        now = self._clock()
        cached = self._cache.get(principal)
        # Also not one of the future: the clock was set back since, and whoever has the right time would refuse it.
        if cached and now + _LIFETIME_SECONDS / 2 < cached[0] <= now + _LIFETIME_SECONDS:
            return cached[1]
        expires = int(now) + _LIFETIME_SECONDS
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": int(now),
            "exp": expires,
            "sub": principal.subject,
            "region": principal.region,
            "scope": " ".join(sorted(principal.scopes)),
        }
        if principal.tenant_id is not None:
            claims["tenant"] = principal.tenant_id
        if principal.rights is not None:
            claims["rights"] = principal.rights.text
        if principal.via:
            claims["via"] = principal.via
        header = {"alg": _ALGORITHM, "typ": "at+jwt", "kid": self._key.kid}
        token = jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])
        self._cache[principal] = (expires, token)
        self._cache.move_to_end(principal)
        self._forget(now)
        return token

    @property
    def remembered(self) -> int:
        """Tokens remembered."""
        return len(self._cache)

    def _forget(self, now: float) -> None:
        """Those made longest ago stand first; one that is over is of no use to anybody."""
        while next(iter(self._cache.values()))[0] <= now or len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)


class TokenVerifier:
    """Verifies internal tokens against the gateway's public keys, which were given at start."""

    def __init__(self, jwks: KeySet) -> None:
        self._keys = jwks
        self._claims = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._cache: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    @classmethod
    def from_file(cls, path: str) -> "TokenVerifier":
        return cls(KeySet.import_key_set(json.loads(Path(path).read_text())))

    async def authenticate(self, request: Request) -> Principal:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthenticated()
        cached = self._cached(token)
        if cached is not None:
            return cached
        principal, expires = self._verify(token)
        self._cache[token] = (expires, principal)
        self._forget()
        return principal

    def authenticate_known(self, request: FastRequest) -> Principal | None:
        given = request.headers.get(b"authorization", b"")
        principal = self._cached(given[7:].decode("latin-1")) if given.startswith(b"Bearer ") else None
        if principal is not None:
            request.scope[TENANT] = principal.tenant_id
        return principal

    def _cached(self, token: str) -> Principal | None:
        cached = self._cache.get(token)
        return cached[1] if cached and cached[0] > time.time() else None

    @property
    def remembered(self) -> int:
        """Tokens remembered."""
        return len(self._cache)

    def _forget(self) -> None:
        """All tokens live equally long: those that came first are over first, and nobody sends them again."""
        now = time.time()
        while self._cache and (next(iter(self._cache.values()))[0] <= now or len(self._cache) > _CACHE_SIZE):
            self._cache.popitem(last=False)

    def _verify(self, token: str) -> tuple[Principal, float]:
        try:
            decoded = jwt.decode(token, self._keys, algorithms=[_ALGORITHM])
            self._claims.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise _unauthenticated() from error
        if decoded.header.get("typ") != "at+jwt":
            raise _unauthenticated()
        claims = decoded.claims
        if not claims.get("tenant"):
            raise _tenantless()
        principal = Principal(
            subject=str(claims["sub"]),
            tenant_id=str(claims["tenant"]),
            region=str(claims.get("region", "CN")),
            scopes=frozenset(str(claims.get("scope", "")).split()),
            rights=_rights(claims.get("rights")),
            via=str(claims.get("via", "")),
        )
        return principal, float(claims["exp"])


def _rights(text: object) -> Rights | None:
    """Raises Unauthenticated for what this release does not understand: it might be less than it took for it."""
    if text is None:
        return None
    try:
        return Rights.parse(str(text))
    except ValueError as error:
        raise _unauthenticated() from error


def _tenantless() -> Forbidden:
    return Forbidden(
        Text("Use a key of a tenant: this credential belongs to none.", "请使用租户的密钥：该凭证不属于任何租户。"),
        members={"missing_permission": "tenant"},
    )


def _unauthenticated() -> Unauthenticated:
    return Unauthenticated(
        Text("Send a valid token: Authorization: Bearer …", "请提供有效令牌：Authorization: Bearer …"),
        headers={"WWW-Authenticate": 'Bearer realm="relata", error="invalid_token"'},
    )
