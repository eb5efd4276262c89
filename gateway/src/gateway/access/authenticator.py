"""From `Authorization: Bearer …` to a principal, counted against its key's quota."""

import hmac
import time
from datetime import datetime
from typing import Final, cast

from crm_kit.db.models import utc_now
from crm_kit.errors import Forbidden, Text, TooManyRequests, Unauthenticated
from crm_kit.http.middleware import RESPONSE_HEADERS
from crm_kit.http.principal import ADMINISTRATION, Principal
from fastapi import Request
from starlette.types import Scope

from gateway.access.browsers import TENANT
from gateway.access.keys import digest, looks_like_key
from gateway.access.known_keys import FindKey, KnownKeys
from gateway.access.rate_limit import RateLimiter
from gateway.access.usage import KeyUsage

_ADMINISTERED: Final = "/v1/tenants"
_ADMINISTRATOR: Final = Principal(ADMINISTRATION, None, scopes=frozenset({"read", "write", "admin"}))


class GatewayAuthenticator:
    """Knows API keys, and the installation's admin key, which is good for tenants alone.

    Every key, right or wrong, costs one digest and at most one look-up by that digest; so the time of an answer tells
    nothing about a key.
    """

    def __init__(self, find: FindKey, limiter: RateLimiter, usage: KeyUsage, admin_key: str) -> None:
        self._keys = KnownKeys(find, time.monotonic)
        self._limiter = limiter
        self.usage = usage
        self._admin_digest = digest(admin_key)

    async def authenticate(self, request: Request) -> Principal:
        """Raises Unauthenticated, TooManyRequests, and Forbidden for the admin key elsewhere than at tenants."""
        principal = await self._principal(request)
        request.scope[TENANT] = principal.tenant_id
        verdict = self._limiter.take(principal.credential)
        cast("dict[str, str]", request.scope.get(RESPONSE_HEADERS, {})).update(verdict.headers)
        if not verdict.allowed:
            raise TooManyRequests(
                Text("Wait as long as Retry-After says.", "请按 Retry-After 指示的时间等待。"),
                headers={"Retry-After": verdict.headers["Retry-After"]},
            )
        if principal.tenant_id is None and not _is_administered(request.scope):
            raise Forbidden(
                Text(
                    "The admin key manages tenants only; use an API key of a tenant here.",
                    "管理密钥仅用于管理租户；此处请使用租户的 API 密钥。",
                )
            )
        return principal

    def revoke(self, key_id: str) -> None:
        """From now on this process refuses the key."""
        self._keys.revoke(key_id)

    async def _principal(self, request: Request) -> Principal:
        given = request.headers.get("authorization", "")
        scheme, _, key = given.partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            raise _unauthenticated(None if not given else "invalid_request")
        key_digest = digest(key)
        if hmac.compare_digest(key_digest, self._admin_digest):
            return _ADMINISTRATOR
        known = await self._keys.get(key_digest) if looks_like_key(key) else None
        if known is None or _has_passed(known.expires_at):
            raise _unauthenticated("invalid_token")
        self.usage.record(known.principal)
        return known.principal


def _is_administered(scope: Scope) -> bool:
    path: str = scope["path"]
    return path == _ADMINISTERED or path.startswith(_ADMINISTERED + "/")


def _has_passed(moment: datetime | None) -> bool:
    return moment is not None and moment <= utc_now()


def _unauthenticated(error: str | None) -> Unauthenticated:
    challenge = 'Bearer realm="relata"' + (f', error="{error}"' if error else "")  # RFC 6750, section 3
    return Unauthenticated(
        Text(
            "Send a valid key: Authorization: Bearer <API key>.", "请提供有效密钥：Authorization: Bearer <API 密钥>。"
        ),
        headers={"WWW-Authenticate": challenge},
    )
