"""From the row to what others may see of it."""

from crm_contracts.contacts import Territory
from crm_contracts.registry import TERRITORY
from crm_kit.outbox import EntityEvents

from contacts_svc.features.assignment.models import TerritoryRow


def snapshot(row: TerritoryRow) -> Territory:
    return Territory.model_validate(row)


TERRITORY_EVENTS = EntityEvents(TERRITORY, TerritoryRow, snapshot)
