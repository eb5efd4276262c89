"""Every statement on inbound_source beyond those that all resources have."""

from typing import Any, Final

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import func, select, text

from gateway.features.inbound_sources.models import InboundSourceRow

_c = columns(InboundSourceRow)
_FIND: Final = text("select s.* from inbound_source s where s.id = :id")


async def find(session: ReadSession, source_id: str) -> Any | None:
    """Of any tenant: for the system role, since a delivery tells its tenant by its address alone."""
    return (await session.execute(_FIND, {"id": source_id})).one_or_none()


async def of_id(session: ReadSession, source_id: str) -> InboundSourceRow | None:
    row: InboundSourceRow | None = await session.scalar(select(InboundSourceRow).where(_c.id == source_id))
    return row


async def exists(session: ReadSession, source_id: str) -> bool:
    return await session.scalar(select(_c.id).where(_c.id == source_id)) is not None


async def lock_sources(session: WriteSession) -> None:
    """Until the transaction ends nobody else makes one of the tenant's."""
    await lock_keys(session, "inbound_source", ["all"])


async def count(session: ReadSession) -> int:
    return int(await session.scalar(select(func.count()).select_from(InboundSourceRow)))


async def has_system(session: ReadSession, system: str, except_id: str) -> bool:
    statement = select(_c.id).where(_c.system == system, _c.id != except_id).limit(1)
    return await session.scalar(statement) is not None


async def owned_by_others(session: ReadSession, source_id: str) -> dict[str, set[str]]:
    """By resource the members that other active sources own."""
    statement = select(_c.system_of_record).where(_c.id != source_id, _c.is_active.is_(True))
    owned: dict[str, set[str]] = {}
    for declared in await session.scalars(statement):
        for resource, members in declared.get("owns", {}).items():
            owned.setdefault(resource, set()).update(members)
    return owned
