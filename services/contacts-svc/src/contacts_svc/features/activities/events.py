"""From the row to what others may see of it."""

from crm_contracts.contacts import Activity
from crm_contracts.registry import ACTIVITY
from crm_kit.outbox import EntityEvents

from contacts_svc.features.activities.models import ActivityRow


def snapshot(row: ActivityRow) -> Activity:
    return Activity.model_validate(row)


ACTIVITY_EVENTS = EntityEvents(ACTIVITY, ActivityRow, snapshot)
