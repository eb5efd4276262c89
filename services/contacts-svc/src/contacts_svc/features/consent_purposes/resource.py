"""Purposes as a resource."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.consent_purposes import usecases
from contacts_svc.features.consent_purposes.events import CONSENT_PURPOSE_EVENTS
from contacts_svc.features.consent_purposes.models import ConsentPurposeRow
from contacts_svc.features.consent_purposes.schemas import ConsentPurposeWrite

_c = columns(ConsentPurposeRow)

CONSENT_PURPOSES = Resource(
    singular="consent_purpose",
    plural="consent-purposes",
    label=Text("consent purpose", "同意用途"),
    row=ConsentPurposeRow,
    write=ConsentPurposeWrite,
    events=CONSENT_PURPOSE_EVENTS,
    fields=FieldSet(
        "ConsentPurpose",
        [
            *base_fields(ConsentPurposeRow),
            Field("purpose", FieldType.TEXT, _c.purpose, nullable=False),
            Field("channel", FieldType.TEXT_LIST, _c.channels, value="channels"),
            Field("active", FieldType.BOOLEAN, _c.active, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=usecases.create_purpose,
    update=usecases.update_purpose,
    delete=usecases.delete_purpose,
)
