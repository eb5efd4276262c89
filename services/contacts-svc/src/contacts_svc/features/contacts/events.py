"""From the row to what others may see of it."""

from crm_contracts.contacts import Contact
from crm_contracts.registry import CONTACT
from crm_kit.outbox import EntityEvents

from contacts_svc.features.contacts.models import ContactRow


def snapshot(row: ContactRow) -> Contact:
    return Contact.model_validate(row)


CONTACT_EVENTS = EntityEvents(CONTACT, ContactRow, snapshot)
