"""Puts access together: what needs the running process, the keys' table and the settings at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from crm_kit.http.principal import Principal
from crm_kit.runtime import Runtime
from fastapi import FastAPI

from gateway.access.authenticator import GatewayAuthenticator
from gateway.access.known_keys import KnownKey
from gateway.access.origins import AllowedOrigins
from gateway.access.rate_limit import RateLimiter
from gateway.access.usage import KeyUsage
from gateway.features.allowed_origins.repository import all_allowed
from gateway.features.api_keys import repository
from gateway.features.roles.assignment import rights_of
from gateway.features.users.rights import rights_of_user
from gateway.settings import GatewaySettings


def make_authenticator(runtime: Runtime) -> GatewayAuthenticator:
    """For `crm_kit.cli.run`: the authenticator of this process."""
    settings = cast("GatewaySettings", runtime.settings)

    async def find(digest: bytes) -> KnownKey | None:
        async with runtime.system.read(None) as session:
            row = await repository.find_by_digest(session, digest)
        if row is None:
            return None
        return await _known(runtime, row)

    async def note(tenant_id: str, key_id: str, at: datetime) -> None:
        async with runtime.database.write(tenant_id) as session:
            await repository.note_use(session, key_id, at)

    limiter = RateLimiter(settings.rate_limit_quota, settings.rate_limit_window_seconds, time.monotonic)
    return GatewayAuthenticator(find, limiter, KeyUsage(note), settings.admin_key)


async def _known(runtime: Runtime, row: Any) -> KnownKey | None:
    """None for the key of a user who is not active."""
    key = Principal(row.id, row.tenant_id, row.region, frozenset(row.scopes))
    if row.user_id is None and not row.roles:
        return KnownKey(key, row.expires_at)
    async with runtime.database.read(row.tenant_id) as session:
        if row.user_id is None:
            return KnownKey(replace(key, rights=await rights_of(session, row.roles)), row.expires_at)
        rights = await rights_of_user(session, row.user_id)
    if rights is None:
        return None
    return KnownKey(replace(key, subject=row.user_id, via=row.id, rights=rights), row.expires_at)


@asynccontextmanager
async def access_lifespan(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
    """Puts the mint of internal tokens at `app.state.mint`, and the origins that tenants allow at
    `app.state.allowed_origins`; writes down when keys are used.
    """
    settings = cast("GatewaySettings", runtime.settings)
    app.state.mint = settings.mint()
    usage = cast("GatewayAuthenticator", app.state.authenticator).usage

    async def fetch() -> list[tuple[str, str]]:
        async with runtime.system.read(None) as session:
            return await all_allowed(session)

    app.state.allowed_origins = AllowedOrigins(fetch)
    running = [
        asyncio.create_task(usage.run(), name="key-usage"),
        asyncio.create_task(app.state.allowed_origins.run(), name="allowed-origins"),
    ]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        await usage.flush()
