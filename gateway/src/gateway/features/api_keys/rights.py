"""What a key may see and do: the one place that makes a key a principal."""

from dataclasses import replace

from crm_kit.db.models import columns, utc_now
from crm_kit.db.session import ReadSession
from crm_kit.http.principal import Principal
from sqlalchemy import select

from gateway.features.api_keys.models import ApiKeyRow
from gateway.features.roles.assignment import rights_of
from gateway.features.users.rights import rights_of_user

_c = columns(ApiKeyRow)


async def with_rights(session: ReadSession, key: Principal, user_id: str | None, roles: list[str]) -> Principal | None:
    """A key with the rights of its roles, or of the user for whom it acts; None where they are not active."""
    if user_id is None:
        return replace(key, rights=await rights_of(session, roles)) if roles else key
    rights = await rights_of_user(session, user_id)
    return replace(key, subject=user_id, via=key.subject, rights=rights) if rights is not None else None


async def principal_of_key(session: ReadSession, key_id: str, region: str) -> Principal | None:
    """None where there is no such key, or none that counts any longer."""
    row = (await session.scalars(select(ApiKeyRow).where(_c.id == key_id))).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= utc_now()):
        return None
    key = Principal(row.id, session.tenant_id, region, frozenset(row.scopes))
    return await with_rights(session, key, row.user_id, row.roles)
