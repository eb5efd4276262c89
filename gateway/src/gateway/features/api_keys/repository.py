"""Every statement on api_key."""

from datetime import datetime, timedelta
from typing import Any

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import func, or_, select, text, update

from gateway.features.api_keys.models import ApiKeyRow

_c = columns(ApiKeyRow)

_ADMINISTERS = (_c.scopes.contains(["admin"]), _c.expires_at.is_(None), _c.user_id.is_(None), _c.roles == [])

_KEYS = (
    "select k.id, k.tenant_id, k.scopes, k.user_id, k.roles, k.expires_at, t.region"
    " from api_key k join tenant t on t.tenant_id = k.tenant_id and t.id = k.tenant_id where"
)
_FIND = text(f"{_KEYS} k.digest = :digest")
_FIND_BY_ID = text(f"{_KEYS} k.id = :id")

COARSE = timedelta(hours=1)
"""How exactly `last_used_at` is kept: so a busy key is written once an hour, not with every request."""


async def find_by_digest(session: ReadSession, digest: bytes) -> Any | None:
    """The key of any tenant, with its tenant's region: for the system role, before the tenant is known."""
    return (await session.execute(_FIND, {"digest": digest})).one_or_none()


async def find_by_id(session: ReadSession, key_id: str) -> Any | None:
    """As `find_by_digest`, of a key whose id a token of ours names."""
    return (await session.execute(_FIND_BY_ID, {"id": key_id})).one_or_none()


async def lock_admin_keys(session: WriteSession) -> None:
    """Until the transaction ends nobody else deletes a key of this tenant."""
    await lock_keys(session, "api_key", ["admin"])


async def has_other_admin_key(session: ReadSession, key_id: str) -> bool:
    """Whether another key without expiry may manage keys, whatever becomes of users and roles."""
    statement = select(_c.id).where(_c.id != key_id, *_ADMINISTERS).limit(1)
    return await session.scalar(statement) is not None


async def has_keys_with_role(session: ReadSession, role: str) -> bool:
    return await session.scalar(select(_c.id).where(_c.roles.contains([role])).limit(1)) is not None


async def note_use(session: WriteSession, key_id: str, at: datetime) -> None:
    """A new version, where the noted use is older than COARSE."""
    await session.execute(
        update(ApiKeyRow)
        .where(_c.id == key_id, or_(_c.last_used_at.is_(None), _c.last_used_at < at - COARSE))
        .values(last_used_at=func.date_trunc("hour", at), version=_c.version + 1, updated_at=at)
    )
