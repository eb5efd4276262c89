"""From the row to what others may see of it."""

from crm_contracts.custom_fields import CustomField
from crm_contracts.registry import CUSTOM_FIELD
from crm_kit.outbox import EntityEvents

from contacts_svc.features.declaring.models import CustomFieldRow


def snapshot(row: CustomFieldRow) -> CustomField:
    return CustomField.model_validate(row)


CUSTOM_FIELD_EVENTS = EntityEvents(CUSTOM_FIELD, CustomFieldRow, snapshot)
