"""From `Authorization: Bearer …` to a principal, counted against its quota."""

import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, cast

import structlog
from crm_kit import context
from crm_kit.db.models import utc_now
from crm_kit.errors import Forbidden, Text, TooManyRequests, Unauthenticated
from crm_kit.http.fast_path import FastRequest
from crm_kit.http.middleware import RESPONSE_HEADERS, TENANT
from crm_kit.http.outbound import network_of
from crm_kit.http.principal import ADMINISTRATION, Principal
from crm_kit.keyring import Keyring
from crm_kit.siblings import Siblings
from fastapi import Request
from starlette.types import Scope

from gateway.access.explanation import ASKED_BY, HEADER, explanation
from gateway.access.failures import FailedAttempts
from gateway.access.issued_tokens import IssuedTokens
from gateway.access.keys import digest, hashed, looks_like_key, prefix_in
from gateway.access.known_keys import FindKey, KnownKey, KnownKeys
from gateway.access.rate_limit import RateLimiter, Verdict
from gateway.access.sign_in import SignIn
from gateway.access.tokens import TokenRefused, looks_like_token, read_unverified
from gateway.access.usage import KeyUsage

_ADMINISTERED: Final = "/v1/tenants"
_ADMINISTRATOR: Final = Principal(ADMINISTRATION, None, scopes=frozenset({"read", "write", "admin"}))

_COUNTED: Final = "relata_counted"
"""In the scope: the verdict on a request that was counted."""

PermissionOf = Callable[[str, str], str | None]
"""What a request of a method for a path needs; None where there is nothing to tell."""

FindKeyById = Callable[[str], Awaitable[KnownKey | None]]

log = structlog.get_logger(__name__)


class GatewayAuthenticator:
    """Knows API keys, tokens that were given for one, tokens of tenants' identity providers, and the installation's
    admin key, which is good for tenants alone.

    Every credential, right or wrong, costs one digest and at most one look-up by that digest; so the time of an answer
    tells nothing about a key.
    """

    def __init__(
        self,
        find: FindKey,
        find_by_id: FindKeyById,
        *,
        issued: IssuedTokens,
        sign_in: SignIn,
        limiter: RateLimiter,
        tenant_limiter: RateLimiter,
        failures: FailedAttempts,
        usage: KeyUsage,
        admin_keys: Keyring,
        permission_of: PermissionOf,
        siblings: Siblings,
    ) -> None:
        self._find = find
        self._find_by_id = find_by_id
        self._known = KnownKeys(time.monotonic, siblings)
        self._sign_in = sign_in
        self._limiter = limiter
        self._tenant_limiter = tenant_limiter
        self._failures = failures
        self._admin_digests = [digest(key) for key in admin_keys]
        self._permission_of = permission_of
        self.issued = issued
        self.usage = usage

    async def authenticate(self, request: Request) -> Principal:
        """Raises Unauthenticated, TooManyRequests, Unavailable, and Forbidden for the admin key elsewhere than at tenants."""
        principal = await self._principal(request)
        request.scope[TENANT] = principal.tenant_id
        verdict = request.scope.get(_COUNTED) or self._count(principal)
        extra = cast("dict[str, str]", request.scope.get(RESPONSE_HEADERS, {}))
        extra.update(verdict.headers)
        if request.headers.get(HEADER) == ASKED_BY:
            permission = self._permission_of(request.method, request.scope["path"])
            if permission is not None:
                extra[HEADER] = explanation(principal, permission)
        if not verdict.allowed:
            raise _too_many(verdict.headers["Retry-After"])
        if principal.tenant_id is None and not _is_administered(request.scope):
            raise Forbidden(
                Text(
                    "The admin key manages tenants only; use an API key of a tenant here.",
                    "管理密钥仅用于管理租户；此处请使用租户的 API 密钥。",
                )
            )
        return principal

    def authenticate_known(self, request: FastRequest) -> Principal | None:
        """As `authenticate`, for a key of a tenant that was looked up lately and may ask; None for any other.

        That it is good, and when it was used, is noted by who looks it up, every few seconds.
        """
        given = request.headers.get(b"authorization", b"")
        if not given.startswith(b"Bearer "):
            return None
        mark = hashed(given[7:])
        known = self._known.peek(mark)
        if known is None or _has_passed(known.expires_at) or known.principal.tenant_id is None:
            return None
        principal = known.principal
        verdict = self._count(principal)
        request.scope[_COUNTED] = verdict  # once, even if another answers
        if not verdict.allowed:
            return None
        request.scope[TENANT] = principal.tenant_id
        request.answered += verdict.fields
        return principal

    async def client(self, client_id: str, secret: str) -> KnownKey | None:
        """The API key that a client authenticates with at the token endpoint: its id, and itself as the secret.

        None where they are no such pair. Raises TooManyRequests.
        """
        known = await self._look_up(secret if looks_like_key(secret) else client_id)
        if known is None or known.principal.credential != client_id:
            return None
        verdict = self._count(known.principal)
        if not verdict.allowed:
            raise _too_many(verdict.headers["Retry-After"])
        return known

    @property
    def limiters(self) -> tuple[RateLimiter, RateLimiter]:
        """Of keys and users, and of tenants: for who shares them with other processes."""
        return self._limiter, self._tenant_limiter

    def _count(self, principal: Principal) -> Verdict:
        """The tighter of two: what its own quota says, or its tenant's where that is what refuses."""
        verdict = self._limiter.take(principal.credential, principal.tenant_id)
        if not verdict.allowed or principal.tenant_id is None:
            return verdict
        whole = self._tenant_limiter.take(principal.tenant_id, principal.tenant_id)
        return verdict if whole.allowed else whole

    def revoke(self, key_id: str) -> None:
        """From now on the key is refused at this port, and what was given for it."""
        self._known.revoke(key_id)

    async def _principal(self, request: Request) -> Principal:
        given = request.headers.get("authorization", "")
        scheme, _, credential = given.partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential:
            raise _unauthenticated(None if not given else "invalid_request")
        given_digest = digest(credential)
        if any(hmac.compare_digest(given_digest, one) for one in self._admin_digests):
            return _ADMINISTRATOR
        known = await self._look_up(credential)
        if known is None:
            raise _unauthenticated("invalid_token")
        return known.principal

    async def _look_up(self, credential: str) -> KnownKey | None:
        """None for what is no good. Raises TooManyRequests for who guesses, Unavailable."""
        mark = digest(credential)
        known = self._known.peek(mark)
        if known is None:
            address, prefix = _address(), prefix_in(credential)
            if wait := self._failures.wait(address, prefix, mark):
                raise _too_many(str(wait))
        known = await self._known.get(mark, lambda: self._find_any(credential, mark))
        if known is None or _has_passed(known.expires_at):
            self._failures.failed(_address(), prefix_in(credential))
            return None
        self._failures.succeeded(mark)
        self.usage.record(known.principal)
        return known

    async def _find_any(self, credential: str, mark: bytes) -> KnownKey | None:
        if looks_like_key(credential):
            return await self._find(mark)
        if not looks_like_token(credential):
            return None
        try:
            seen = read_unverified(credential)
            if seen.issuer != self.issued.issuer:
                return await self._sign_in.find(credential)
            token = self.issued.read(seen)
        except TokenRefused as refusal:
            log.info("token_refused", reason=str(refusal))
            return None
        key = await self._find_by_id(token.key_id)
        if key is None or _has_passed(key.expires_at):
            return None
        # What the key has lost since, the token has lost as well.
        scopes = frozenset(scope for scope in token.scopes if key.principal.holds(scope))
        ends = token.expires_at if key.expires_at is None else min(token.expires_at, key.expires_at)
        return KnownKey(replace(key.principal, scopes=scopes), ends)


def _address() -> str:
    """The network that the request came from (`crm_kit.http.origin`)."""
    here = context.current()
    return network_of(here.address) if here is not None and here.address else ""


def _is_administered(scope: Scope) -> bool:
    path: str = scope["path"]
    return path == _ADMINISTERED or path.startswith(_ADMINISTERED + "/")


def _has_passed(moment: datetime | None) -> bool:
    return moment is not None and moment <= utc_now()


def _too_many(seconds: str) -> TooManyRequests:
    return TooManyRequests(
        Text("Wait as long as Retry-After says.", "请按 Retry-After 指示的时间等待。"), headers={"Retry-After": seconds}
    )


def _unauthenticated(error: str | None) -> Unauthenticated:
    challenge = 'Bearer realm="relata"' + (f', error="{error}"' if error else "")  # RFC 6750, section 3
    return Unauthenticated(
        Text(
            "Send a valid credential: Authorization: Bearer <API key or token>.",
            "请提供有效凭证：Authorization: Bearer <API 密钥或令牌>。",
        ),
        headers={"WWW-Authenticate": challenge},
    )
