"""What can be done with an API key."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from crm_contracts.ids import ApiKeyId
from crm_kit.audit import entry, record
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal

from gateway.access.keys import digest, new_key, shown_prefix
from gateway.features.api_keys import repository
from gateway.features.api_keys.errors import LastAdminKey, ScopeNotHeld
from gateway.features.api_keys.events import UNPUBLISHED, snapshot
from gateway.features.api_keys.models import ApiKeyRow
from gateway.features.api_keys.schemas import SCOPES, ApiKeyWrite, CreatedApiKey, Rotation


async def create_api_key(session: WriteSession, data: ApiKeyWrite, caller: Principal) -> CreatedApiKey:
    """The only time that the key itself leaves the gateway."""
    _check_held(data.scopes, caller)
    return await issue_key(session, data.name, data.scopes, data.expires_at)


async def issue_key(
    session: WriteSession, name: str, scopes: Collection[str], expires_at: datetime | None = None
) -> CreatedApiKey:
    """A key for the session's tenant, whoever asks: for its creation."""
    key_id = ApiKeyId.new()
    key = new_key(key_id)
    row = ApiKeyRow(
        id=key_id,
        name=name,
        prefix=shown_prefix(key_id),
        digest=digest(key),
        scopes=[scope for scope in SCOPES if scope in scopes],
        expires_at=expires_at,
    )
    created = await UNPUBLISHED.created(session, row)
    return CreatedApiKey(**created.model_dump(), key=key)


async def rotate_api_key(session: WriteSession, row: ApiKeyRow, data: Rotation, caller: Principal) -> CreatedApiKey:
    """A new key of the same name, scopes and expiry; the old one ends after the overlap, if not before."""
    _check_held(row.scopes, caller)
    created = await issue_key(session, row.name, row.scopes, row.expires_at)
    before = snapshot(row)
    ends = await session.now() + timedelta(seconds=data.overlap_seconds)
    row.expires_at = ends if row.expires_at is None else min(row.expires_at, ends)
    if not await UNPUBLISHED.updated(session, row, before, action="rotated"):  # it ends soon anyway
        await record(session, [entry("api_key", "rotated", entity_id=row.id, version=row.version)])
    return created


async def revoke_api_key(session: WriteSession, row: ApiKeyRow, caller: Principal) -> None:
    _check_held(row.scopes, caller)
    if "admin" in row.scopes:
        await repository.lock_admin_keys(session)
        if not await repository.has_other_admin_key(session, row.id):
            raise LastAdminKey
    await UNPUBLISHED.deleted(session, row)


def _check_held(scopes: Iterable[str], caller: Principal) -> None:
    lacking = sorted(scope for scope in scopes if not caller.may(scope))
    if lacking:
        raise ScopeNotHeld(
            Text(f"Your key lacks {', '.join(lacking)}.", f"当前密钥缺少权限：{', '.join(lacking)}。"),
            members={"missing_permission": lacking[0]},
        )
