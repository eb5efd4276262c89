"""From the row to what others may see of it."""

from crm_contracts.privacy import PrivacyRequest
from crm_contracts.registry import PRIVACY_REQUEST
from crm_kit.outbox import EntityEvents

from contacts_svc.features.privacy_requests.models import PrivacyRequestRow

_MEMBERS = frozenset(PrivacyRequest.model_fields) - {"file"}


def snapshot(row: PrivacyRequestRow) -> PrivacyRequest:
    file = None if row.size is None else f"/v1/privacy-requests/{row.id}/file"
    return PrivacyRequest.model_validate({**{name: getattr(row, name) for name in _MEMBERS}, "file": file})


PRIVACY_REQUEST_EVENTS = EntityEvents(PRIVACY_REQUEST, PrivacyRequestRow, snapshot)
