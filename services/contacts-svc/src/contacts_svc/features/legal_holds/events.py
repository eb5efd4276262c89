"""From the row to what others may see of it."""

from crm_contracts.registry import LEGAL_HOLD
from crm_contracts.retention import LegalHold
from crm_kit.outbox import EntityEvents

from contacts_svc.features.holding.models import LegalHoldRow


def snapshot(row: LegalHoldRow) -> LegalHold:
    return LegalHold.model_validate(row)


LEGAL_HOLD_EVENTS = EntityEvents(LEGAL_HOLD, LegalHoldRow, snapshot)
