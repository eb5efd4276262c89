"""What can be done with an allowed origin."""

from typing import Final

from crm_contracts.ids import AllowedOriginId
from crm_kit.db.locks import lock_keys
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal

from gateway.features.allowed_origins import repository
from gateway.features.allowed_origins.errors import OriginTaken, TooManyOrigins
from gateway.features.allowed_origins.events import UNPUBLISHED
from gateway.features.allowed_origins.models import AllowedOriginRow
from gateway.features.allowed_origins.schemas import AllowedOrigin, AllowedOriginWrite

_MOST: Final = 50
"""Of a tenant: every gateway process keeps those of all tenants in memory."""


async def allow_origin(session: WriteSession, data: AllowedOriginWrite, _caller: Principal) -> AllowedOrigin:
    """Raises OriginTaken, TooManyOrigins."""
    await lock_keys(session, "allowed_origin", ["all"])
    known = await repository.allowed(session)
    if data.origin in known:
        raise OriginTaken
    if len(known) >= _MOST:
        raise TooManyOrigins(Text(f"A tenant has {_MOST} at most.", f"每个租户最多 {_MOST} 个。"))
    row = AllowedOriginRow(id=AllowedOriginId.new(), name=data.name, origin=data.origin)
    return await UNPUBLISHED.created(session, row)


async def forbid_origin(session: WriteSession, row: AllowedOriginRow, _caller: Principal) -> None:
    await UNPUBLISHED.deleted(session, row)
