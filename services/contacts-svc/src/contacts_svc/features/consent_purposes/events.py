"""From the row to what others may see of it."""

from crm_contracts.privacy import ConsentPurpose
from crm_contracts.registry import CONSENT_PURPOSE
from crm_kit.outbox import EntityEvents

from contacts_svc.features.consent_purposes.models import ConsentPurposeRow


def snapshot(row: ConsentPurposeRow) -> ConsentPurpose:
    return ConsentPurpose.model_validate(row)


CONSENT_PURPOSE_EVENTS = EntityEvents(CONSENT_PURPOSE, ConsentPurposeRow, snapshot)
