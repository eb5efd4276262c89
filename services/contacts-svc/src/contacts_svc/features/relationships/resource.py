"""Relationships as a resource."""

from crm_kit.conditions import Document, Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import Ownership, Through

from contacts_svc.features.accounts.models import ACCOUNT_OWNERSHIP
from contacts_svc.features.contacts.models import CONTACT_OWNERSHIP
from contacts_svc.features.relating.events import RELATIONSHIP_EVENTS
from contacts_svc.features.relating.models import RelationshipRow
from contacts_svc.features.relationships import usecases
from contacts_svc.features.relationships.schemas import RelationshipWrite

_c = columns(RelationshipRow)


def _contacts(document: Document) -> list[object]:
    given = (document.get(name) for name in ("contact_id", "related_contact_id"))
    return [end for end in given if end is not None]


FIELDS = FieldSet(
    "Relationship",
    [
        *base_fields(RelationshipRow),
        Field("contact_id", FieldType.ID, _c.contact_id, nullable=False),
        Field("account_id", FieldType.ID, _c.account_id),
        Field("related_contact_id", FieldType.ID, _c.related_contact_id),
        Field(
            "of_contact_id",
            FieldType.ID_LIST,
            _c.contact_ids,
            value=_contacts,
            part_of="contact_id",
            selective=True,
        ),
        Field("label", FieldType.TEXT, _c.label, nullable=False),
        Field("inverse_label", FieldType.TEXT, _c.inverse_label),
        Field("primary", FieldType.BOOLEAN, _c.primary, nullable=False),
        Field("started_on", FieldType.DATE, _c.started_on),
        Field("ended_on", FieldType.DATE, _c.ended_on),
    ],
)

RELATIONSHIPS = Resource(
    singular="relationship",
    plural="relationships",
    label=Text("relationship", "关系"),
    row=RelationshipRow,
    write=RelationshipWrite,
    events=RELATIONSHIP_EVENTS,
    fields=FIELDS,
    ownership=Ownership(
        through=(
            Through(_c.contact_id, CONTACT_OWNERSHIP),
            Through(_c.related_contact_id, CONTACT_OWNERSHIP),
            Through(_c.account_id, ACCOUNT_OWNERSHIP),
        )
    ),
    create=usecases.relate,
    update=usecases.update_relationship,
    delete=usecases.delete_relationship,
)
