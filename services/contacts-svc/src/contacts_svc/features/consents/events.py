"""From the row to what others may see of it."""

from crm_contracts.contacts import Consent
from crm_contracts.registry import CONSENT
from crm_kit.outbox import EntityEvents

from contacts_svc.features.consents.models import ConsentRow


def snapshot(row: ConsentRow) -> Consent:
    return Consent.model_validate(row)


CONSENT_EVENTS = EntityEvents(CONSENT, ConsentRow, snapshot)
