"""Puts access together: what needs the running process, the keys' table and the settings at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, cast

from crm_kit.http.principal import Principal
from crm_kit.runtime import Runtime
from fastapi import FastAPI

from gateway.access.authenticator import GatewayAuthenticator
from gateway.access.failures import FailedAttempts
from gateway.access.issued_tokens import IssuedTokens
from gateway.access.issuer_keys import IssuerKeys
from gateway.access.known_keys import KnownKey
from gateway.access.origins import AllowedOrigins
from gateway.access.rate_limit import RateLimiter
from gateway.access.shared_limits import SharedLimits
from gateway.access.sign_in import SignIn, make_sign_in
from gateway.access.usage import KeyUsage
from gateway.features.allowed_origins.repository import all_allowed
from gateway.features.api_keys import repository
from gateway.features.api_keys.rights import with_rights
from gateway.features.rate_limits import repository as buckets
from gateway.features.sign_in.usecases import TenantProvider, find_provider, sign_in
from gateway.proxy.table import packaged_table
from gateway.settings import GatewaySettings

_SERVING_POLL_SECONDS: Final = 0.05


def make_authenticator(runtime: Runtime) -> GatewayAuthenticator:
    """For `crm_kit.cli.run`: the authenticator of this process, and of those that are forked from it."""
    settings, siblings = cast("GatewaySettings", runtime.settings), runtime.siblings
    quota, window = settings.rate_limit_quota, settings.rate_limit_window_seconds
    limiter = RateLimiter(quota, window, time.monotonic, siblings=siblings)
    of_tenants = settings.rate_limit_tenant_quota
    tenant_limiter = RateLimiter(of_tenants, window, time.monotonic, policy="tenant", siblings=siblings)

    async def find(digest: bytes) -> KnownKey | None:
        async with runtime.system.read(None) as session:
            return await _known(runtime, await repository.find_by_digest(session, digest))

    async def find_by_id(key_id: str) -> KnownKey | None:
        async with runtime.system.read(None) as session:
            return await _known(runtime, await repository.find_by_id(session, key_id))

    async def note(tenant_id: str, key_id: str, at: datetime) -> None:
        async with runtime.database.write(tenant_id, always=True) as session:
            await repository.note_use(session, key_id, at)

    return GatewayAuthenticator(
        find,
        find_by_id,
        issued=IssuedTokens(settings.verification_keys(), settings.issuer),
        sign_in=_make_sign_in(runtime, settings),
        limiter=limiter,
        tenant_limiter=tenant_limiter,
        failures=FailedAttempts(settings.failed_attempts_quota, time.monotonic, siblings),
        usage=KeyUsage(note),
        admin_keys=settings.admin_keys,
        permission_of=_permission_of,
        siblings=siblings,
    )


def _permission_of(method: str, path: str) -> str | None:
    return packaged_table().permission(method, path) if path.startswith("/v1/") else None


def _make_sign_in(runtime: Runtime, settings: GatewaySettings) -> SignIn:
    async def provider(issuer: str, audiences: Collection[str]) -> TenantProvider | None:
        async with runtime.system.read(None) as session:
            return await find_provider(session, issuer, audiences)

    async def person(of: TenantProvider, claims: Mapping[str, Any]) -> Principal:
        return await sign_in(runtime.database, of, claims)

    pause = settings.issuer_keys_pause_seconds
    keys = IssuerKeys(settings.outbound().get, time.monotonic, pause, siblings=runtime.siblings)
    return make_sign_in(provider, person, keys, time.monotonic, runtime.siblings)


def _share_limits(runtime: Runtime, settings: GatewaySettings, limiters: Sequence[RateLimiter]) -> SharedLimits:
    window = timedelta(seconds=settings.rate_limit_window_seconds)

    async def settle(spent: Mapping[tuple[str, str], int], quota: int, rate: float) -> Iterable[tuple[str, str, float]]:
        async with runtime.system.write(None) as session:
            await buckets.forget(session, window)
            return await buckets.settle(session, spent, quota, rate)

    return SharedLimits(limiters, settle)


async def _known(runtime: Runtime, row: Any | None) -> KnownKey | None:
    """None where there is no such key, and for that of a user who is not active."""
    if row is None:
        return None
    key = Principal(row.id, row.tenant_id, row.region, frozenset(row.scopes))
    if row.user_id is None and not row.roles:
        return KnownKey(key, row.expires_at)
    async with runtime.database.read(row.tenant_id) as session:
        known = await with_rights(session, key, row.user_id, row.roles)
    return KnownKey(known, row.expires_at) if known is not None else None


@asynccontextmanager
async def access_lifespan(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
    """Puts the mint of internal tokens at `app.state.mint`, and the origins that tenants allow at
    `app.state.allowed_origins`; writes down when keys are used.
    """
    settings = cast("GatewaySettings", runtime.settings)
    app.state.mint = settings.mint()
    authenticator = cast("GatewayAuthenticator", app.state.authenticator)
    usage, limits = authenticator.usage, _share_limits(runtime, settings, authenticator.limiters)

    async def fetch() -> list[tuple[str, str]]:
        while not runtime.serves:  # its tables may not be there yet
            await asyncio.sleep(_SERVING_POLL_SECONDS)
        async with runtime.system.read(None) as session:
            return await all_allowed(session)

    app.state.allowed_origins = AllowedOrigins(fetch, time.monotonic, runtime.siblings)
    running = [
        asyncio.create_task(usage.run(), name="key-usage"),
        asyncio.create_task(limits.run(), name="shared-limits"),
        asyncio.create_task(app.state.allowed_origins.run(), name="allowed-origins"),
    ]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        await usage.flush()
