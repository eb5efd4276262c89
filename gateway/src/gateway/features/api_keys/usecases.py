"""What can be done with an API key."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from crm_contracts.ids import ApiKeyId
from crm_kit.audit import entry, record
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal

from gateway.access.keys import digest, new_key, shown_prefix
from gateway.features.api_keys import repository
from gateway.features.api_keys.errors import LastAdminKey, NoRotation, ScopeNotHeld
from gateway.features.api_keys.events import UNPUBLISHED, snapshot
from gateway.features.api_keys.models import ApiKeyRow
from gateway.features.api_keys.schemas import SCOPES, ApiKeyWrite, CreatedApiKey, Rotation, SupportStaff
from gateway.features.roles.assignment import check_roles
from gateway.features.users import repository as users


async def create_api_key(session: WriteSession, data: ApiKeyWrite, caller: Principal) -> CreatedApiKey:
    """The only time that the key itself leaves the gateway."""
    _check_held(data.scopes, caller)
    _check_rights(data.user_id, data.roles, caller)
    await check_roles(session, data.roles)
    if data.user_id is not None and await users.active(session, data.user_id) is None:
        text = Text("There is no such active user", "不存在该用户或其已停用")
        raise ValidationFailed(text, errors=[FieldError("/user_id", "not_found", text)])
    return await issue_key(session, data)


async def issue_key(session: WriteSession, data: ApiKeyWrite, support: SupportStaff | None = None) -> CreatedApiKey:
    """A key for the session's tenant, whoever asks: for its creation, and for those who support it."""
    key_id = ApiKeyId.new()
    key = new_key(key_id)
    row = ApiKeyRow(
        id=key_id,
        name=data.name,
        prefix=shown_prefix(key_id),
        digest=digest(key),
        scopes=[scope for scope in SCOPES if scope in data.scopes],
        user_id=data.user_id,
        roles=list(data.roles),
        expires_at=data.expires_at,
        support=support.model_dump() if support is not None else None,
    )
    created = await UNPUBLISHED.created(session, row)
    return CreatedApiKey(**created.model_dump(), key=key)


async def rotate_api_key(session: WriteSession, row: ApiKeyRow, data: Rotation, caller: Principal) -> CreatedApiKey:
    """A new key of the same name, scopes and expiry; the old one ends after the overlap, if not before.

    Raises NoRotation for a session of support staff.
    """
    if row.support is not None:
        raise NoRotation
    _check_held(row.scopes, caller)
    _check_rights(row.user_id, row.roles, caller)
    created = await issue_key(
        session, ApiKeyWrite.model_construct(**row.model_dump(include=set(ApiKeyWrite.model_fields)))
    )
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


def _check_rights(user_id: str | None, roles: Sequence[str], caller: Principal) -> None:
    """Who has rights of their own makes no key that has more than any: it acts for a user, or has roles."""
    if caller.rights is not None and not caller.rights.is_unlimited and user_id is None and not roles:
        raise ScopeNotHeld(
            Text("Give the key a user_id or roles: yours is bound to rights too.", "请为密钥指定 user_id 或 roles。")
        )


def _check_held(scopes: Iterable[str], caller: Principal) -> None:
    lacking = sorted(scope for scope in scopes if not caller.may(scope))
    if lacking:
        raise ScopeNotHeld(
            Text(f"Your key lacks {', '.join(lacking)}.", f"当前密钥缺少权限：{', '.join(lacking)}。"),
            members={"missing_permission": lacking[0]},
        )
