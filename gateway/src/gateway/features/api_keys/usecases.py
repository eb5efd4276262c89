"""What can be done with an API key."""

from collections.abc import Iterable

from crm_contracts.ids import ApiKeyId
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal

from gateway.access.keys import digest, new_key, shown_prefix
from gateway.features.api_keys import repository
from gateway.features.api_keys.errors import LastAdminKey, ScopeNotHeld
from gateway.features.api_keys.events import snapshot
from gateway.features.api_keys.models import ApiKeyRow
from gateway.features.api_keys.schemas import ALL_SCOPES, ApiKeyWrite, CreatedApiKey


async def create_api_key(session: WriteSession, data: ApiKeyWrite, caller: Principal) -> CreatedApiKey:
    """The only time that the key itself leaves the gateway."""
    _check_held(data.scopes, caller)
    return await issue_key(session, data)


async def issue_key(session: WriteSession, data: ApiKeyWrite) -> CreatedApiKey:
    """A key for the session's tenant, whoever asks: for its creation."""
    key_id = ApiKeyId.new()
    key = new_key(key_id)
    row = ApiKeyRow(
        id=key_id,
        tenant_id=session.tenant_id,
        version=1,
        name=data.name,
        prefix=shown_prefix(key_id),
        digest=digest(key),
        scopes=[scope for scope in ALL_SCOPES if scope in data.scopes],
        expires_at=data.expires_at,
    )
    session.add(row)
    await session.flush()
    return CreatedApiKey(**snapshot(row).model_dump(), key=key)


async def revoke_api_key(session: WriteSession, row: ApiKeyRow, caller: Principal) -> None:
    _check_held(row.scopes, caller)
    if "admin" in row.scopes:
        await repository.lock_admin_keys(session)
        if not await repository.has_other_admin_key(session, row.id):
            raise LastAdminKey
    await session.delete(row)
    await session.flush()


def _check_held(scopes: Iterable[str], caller: Principal) -> None:
    lacking = sorted(set(scopes) - caller.scopes)
    if lacking:
        raise ScopeNotHeld(
            Text(f"Your key lacks {', '.join(lacking)}.", f"当前密钥缺少权限：{', '.join(lacking)}。"),
            members={"missing_permission": lacking[0]},
        )
