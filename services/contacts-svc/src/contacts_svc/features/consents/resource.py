"""The ledger as a list; it is written by its own route only."""

from typing import get_args

from crm_contracts.contacts import Channel, ConsentStatus
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import Ownership, Through

from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.consents.models import ConsentRow
from contacts_svc.features.consents.schemas import ConsentWrite
from contacts_svc.features.contacts.models import CONTACT_OWNERSHIP

_c = columns(ConsentRow)

CONSENTS = Resource(
    singular="consent",
    plural="consents",
    label=Text("consent", "同意记录"),
    row=ConsentRow,
    write=ConsentWrite,
    events=CONSENT_EVENTS,
    fields=FieldSet(
        "Consent",
        [
            *base_fields(ConsentRow),
            Field("number", FieldType.INTEGER, _c.number, sortable=True, nullable=False),
            Field("at", FieldType.DATETIME, _c.at, sortable=True, nullable=False),
            Field("channel", FieldType.CHOICE, _c.channel, choices=get_args(Channel), nullable=False),
            Field("purpose", FieldType.TEXT, _c.purpose, nullable=False),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(ConsentStatus), nullable=False),
        ],
    ),
    ownership=Ownership(through=(Through(_c.contact_id, CONTACT_OWNERSHIP),)),
    create=None,
    update=None,
    delete=None,
    default_sort="-number",
)
