"""What can be done with a pool."""

from typing import Any

from crm_contracts.ids import PoolId
from crm_contracts.pools import Pool
from crm_kit.db.session import WriteSession
from crm_kit.http.principal import Principal

from contacts_svc.features.pooling.models import PoolRow
from contacts_svc.features.pools import repository
from contacts_svc.features.pools.errors import PoolInUse
from contacts_svc.features.pools.events import POOL_EVENTS
from contacts_svc.features.pools.schemas import PoolWrite


async def create_pool(session: WriteSession, data: PoolWrite, _caller: Principal) -> Pool:
    return await POOL_EVENTS.created(session, PoolRow(id=PoolId.new(), **_columns(data)))


async def update_pool(session: WriteSession, row: PoolRow, data: PoolWrite, _caller: Principal) -> None:
    """Limits count from the next claim on, fewer days from the next activity, more when a contact comes due."""
    before = POOL_EVENTS.snapshot(row)
    for name, value in _columns(data).items():
        setattr(row, name, value)
    await POOL_EVENTS.updated(session, row, before)


async def delete_pool(session: WriteSession, row: PoolRow, _caller: Principal) -> None:
    """Raises PoolInUse."""
    if await repository.has_contacts(session, row.id):
        raise PoolInUse
    await POOL_EVENTS.deleted(session, row)


def _columns(data: PoolWrite) -> dict[str, Any]:
    return {**data.model_dump(), "team_ids": list(dict.fromkeys(data.team_ids))}
