"""From the row to what others may see of it."""

from crm_contracts.pipeline import Deal
from crm_contracts.registry import DEAL
from crm_kit.outbox import EntityEvents

from pipeline_svc.features.deals.models import DealRow


def snapshot(row: DealRow) -> Deal:
    return Deal.model_validate(row)


DEAL_EVENTS = EntityEvents(DEAL, DealRow, snapshot)
