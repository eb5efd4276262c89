"""From the row to what others may see of it."""

from crm_contracts.pools import Pool
from crm_contracts.registry import POOL
from crm_kit.outbox import EntityEvents

from contacts_svc.features.pooling.models import PoolRow


def snapshot(row: PoolRow) -> Pool:
    return Pool.model_validate(row)


POOL_EVENTS = EntityEvents(POOL, PoolRow, snapshot)
