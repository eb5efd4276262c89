"""From the row to what others may see of it."""

from crm_contracts.lifecycle import Lifecycle
from crm_contracts.registry import LIFECYCLE
from crm_kit.outbox import EntityEvents

from contacts_svc.features.stages.models import LifecycleRow


def snapshot(row: LifecycleRow) -> Lifecycle:
    return Lifecycle.model_validate(row)


LIFECYCLE_EVENTS = EntityEvents(LIFECYCLE, LifecycleRow, snapshot)
