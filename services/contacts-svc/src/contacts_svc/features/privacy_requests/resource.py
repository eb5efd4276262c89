"""Privacy requests as a resource."""

from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource
from crm_kit.rights import Ownership

from contacts_svc.features.privacy_requests import repository, usecases
from contacts_svc.features.privacy_requests.events import PRIVACY_REQUEST_EVENTS
from contacts_svc.features.privacy_requests.models import PrivacyRequestRow
from contacts_svc.features.privacy_requests.schemas import PrivacyRequestWrite

_c = columns(PrivacyRequestRow)

PRIVACY_REQUESTS = Resource(
    singular="privacy_request",
    plural="privacy-requests",
    label=Text("privacy request", "隐私请求"),
    row=PrivacyRequestRow,
    write=PrivacyRequestWrite,
    events=PRIVACY_REQUEST_EVENTS,
    fields=repository.FIELDS,
    ownership=Ownership(id=_c.id, owner=_c.requested_by),
    create=usecases.open_request,
    update=None,
    delete=None,
)
