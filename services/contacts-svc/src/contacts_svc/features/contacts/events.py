"""From the row to what others may see of it."""

from crm_contracts.contacts import Contact
from crm_contracts.registry import CONTACT
from crm_kit.outbox import EntityEvents

from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.tagging.rules import own_tags


def snapshot(row: ContactRow) -> Contact:
    return Contact.model_validate(row)


def by_people(row: ContactRow) -> Contact:
    """With the tags alone that somebody gave: whether a rule gives one follows from what the contact is."""
    return snapshot(row).model_copy(update={"tags": own_tags(row.tags, row.rule_tags)})


CONTACT_EVENTS = EntityEvents(CONTACT, ContactRow, snapshot)
