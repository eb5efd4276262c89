"""START HERE: everything that contacts-svc can do."""

from pathlib import Path

from crm_kit.manifest import Manifest

from contacts_svc.base import METADATA
from contacts_svc.features import (
    accounts,
    activities,
    archiving,
    bulk_changes,
    claims,
    consents,
    contacts,
    custom_fields,
    customers,
    duplicate_scans,
    duplicates,
    exports,
    imports,
    lifecycle,
    merges,
    pools,
    territories,
    validation_rules,
)
from contacts_svc.features.accounts.events import ACCOUNT_EVENTS
from contacts_svc.features.activities.events import ACTIVITY_EVENTS
from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.custom_fields.events import CUSTOM_FIELD_EVENTS
from contacts_svc.features.lifecycle.events import LIFECYCLE_EVENTS
from contacts_svc.features.merges.events import MERGE_EVENTS
from contacts_svc.features.pools.events import POOL_EVENTS
from contacts_svc.features.territories.events import TERRITORY_EVENTS
from contacts_svc.features.validation_rules.events import VALIDATION_RULE_EVENTS
from contacts_svc.settings import ContactsSettings

MANIFEST = Manifest(
    name="contacts",
    package="contacts_svc",
    title="Relata contacts",
    summary="Contacts, accounts, activities, consents, lifecycle, pools, territories, custom fields, rules, merges, imports, exports",
    settings=ContactsSettings,
    metadata=METADATA,
    migrations=Path(__file__).parents[2] / "migrations",
    features=(
        contacts.FEATURE,
        accounts.FEATURE,
        archiving.FEATURE,
        activities.FEATURE,
        consents.FEATURE,
        territories.FEATURE,
        custom_fields.FEATURE,
        validation_rules.FEATURE,
        lifecycle.FEATURE,
        pools.FEATURE,
        claims.FEATURE,
        imports.FEATURE,
        exports.FEATURE,
        bulk_changes.FEATURE,
        customers.FEATURE,
        duplicates.FEATURE,
        merges.FEATURE,
        duplicate_scans.FEATURE,
    ),
    publishes=(
        CONTACT_EVENTS,
        ACCOUNT_EVENTS,
        ACTIVITY_EVENTS,
        CONSENT_EVENTS,
        TERRITORY_EVENTS,
        CUSTOM_FIELD_EVENTS,
        VALIDATION_RULE_EVENTS,
        MERGE_EVENTS,
        LIFECYCLE_EVENTS,
        POOL_EVENTS,
    ),
)
