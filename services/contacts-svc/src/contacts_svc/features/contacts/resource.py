"""Contacts as a resource."""

from crm_kit.errors import Text
from crm_kit.privacy import is_erased
from crm_kit.resources import Digested, Resource

from contacts_svc.features.accounts.repository import ARCHIVED
from contacts_svc.features.contacts import repository, usecases
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.contacts.models import CONTACT_OWNERSHIP, ContactRow
from contacts_svc.features.contacts.schemas import ContactWrite
from contacts_svc.features.declaring.repository import declared_for

CONTACTS = Resource(
    singular="contact",
    plural="contacts",
    label=Text("contact", "联系人"),
    row=ContactRow,
    write=ContactWrite,
    events=CONTACT_EVENTS,
    fields=repository.FIELDS,
    ownership=CONTACT_OWNERSHIP,
    create=usecases.create_contact,
    update=usecases.update_contact,
    delete=usecases.delete_contact,
    match=usecases.MATCHERS,
    custom=declared_for("contacts"),
    successor=repository.survivor_of,
    erased=is_erased,
    momentary=frozenset({"lifecycle_reason"}),
    left_out=ARCHIVED,
    foresee=usecases.foresee,
    digests=Digested(("created_at", "updated_at"), source="source"),
)
