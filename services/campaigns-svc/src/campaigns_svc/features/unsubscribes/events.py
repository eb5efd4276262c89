"""From the row to what others may see of it."""

from crm_contracts.campaigns import Unsubscribe
from crm_contracts.registry import UNSUBSCRIBE
from crm_kit.outbox import EntityEvents

from campaigns_svc.features.unsubscribes.models import UnsubscribeRow


def snapshot(row: UnsubscribeRow) -> Unsubscribe:
    return Unsubscribe.model_validate(row)


UNSUBSCRIBE_EVENTS = EntityEvents(UNSUBSCRIBE, UnsubscribeRow, snapshot)
