"""Legal holds as a resource."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import Ownership, Through

from contacts_svc.features.contacts.models import CONTACT_OWNERSHIP
from contacts_svc.features.holding.models import LegalHoldRow
from contacts_svc.features.legal_holds import usecases
from contacts_svc.features.legal_holds.events import LEGAL_HOLD_EVENTS
from contacts_svc.features.legal_holds.schemas import LegalHoldWrite

_c = columns(LegalHoldRow)

LEGAL_HOLDS = Resource(
    singular="legal_hold",
    plural="legal-holds",
    label=Text("legal hold", "法律保留"),
    row=LegalHoldRow,
    write=LegalHoldWrite,
    events=LEGAL_HOLD_EVENTS,
    fields=FieldSet(
        "LegalHold",
        [
            *base_fields(LegalHoldRow),
            Field("contact_id", FieldType.ID, _c.contact_id, nullable=False),
            Field("until", FieldType.DATETIME, _c.until, sortable=True),
            Field("placed_by", FieldType.ID, _c.placed_by, nullable=False),
            Field("released_at", FieldType.DATETIME, _c.released_at, sortable=True),
        ],
    ),
    ownership=Ownership(through=(Through(_c.contact_id, CONTACT_OWNERSHIP),)),
    create=usecases.place_hold,
    update=usecases.update_hold,
    delete=None,
)
