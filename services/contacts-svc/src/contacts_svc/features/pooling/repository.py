"""Every statement about pools that contacts depend on."""

from collections.abc import Collection, Mapping

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import select

from contacts_svc.features.pooling.models import PoolRow

_c = columns(PoolRow)


async def hold_pool(session: WriteSession, pool_id: str) -> PoolRow | None:
    """The pool, which until the transaction ends nobody changes or deletes; others may hold it too."""
    statement = select(PoolRow).where(_c.id == pool_id).with_for_update(read=True)
    row: PoolRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def pools_by_id(session: ReadSession, pool_ids: Collection[str]) -> Mapping[str, PoolRow]:
    return {row.id: row for row in await session.scalars(select(PoolRow).where(_c.id.in_(pool_ids)))}
