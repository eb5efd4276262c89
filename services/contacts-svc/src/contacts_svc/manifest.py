"""START HERE: everything that contacts-svc can do."""

from pathlib import Path

from crm_contracts.registry import ACCOUNT, ACTIVITY, CONSENT, CONTACT
from crm_kit.manifest import Manifest

from contacts_svc.base import METADATA
from contacts_svc.features import accounts, activities, consents, contacts, customers

MANIFEST = Manifest(
    name="contacts",
    package="contacts_svc",
    title="Relata contacts",
    summary="Contacts, accounts, activities and consents",
    metadata=METADATA,
    migrations=Path(__file__).parents[2] / "migrations",
    features=(contacts.FEATURE, accounts.FEATURE, activities.FEATURE, consents.FEATURE, customers.FEATURE),
    publishes=(CONTACT, ACCOUNT, ACTIVITY, CONSENT),
)
