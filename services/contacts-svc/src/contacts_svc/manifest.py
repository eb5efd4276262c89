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
    consent_purposes,
    consents,
    contacts,
    custom_fields,
    customers,
    date_occurrences,
    date_reminders,
    duplicate_scans,
    duplicates,
    exports,
    imports,
    legal_holds,
    lifecycle,
    merges,
    pools,
    preferences,
    privacy,
    privacy_requests,
    relationships,
    retention_rules,
    tag_reasons,
    tag_rules,
    territories,
    validation_rules,
)
from contacts_svc.features.accounts.events import ACCOUNT_EVENTS
from contacts_svc.features.activities.events import ACTIVITY_EVENTS
from contacts_svc.features.consent_purposes.events import CONSENT_PURPOSE_EVENTS
from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.custom_fields.events import CUSTOM_FIELD_EVENTS
from contacts_svc.features.date_occurrences.events import DATE_OCCURRENCE_EVENTS
from contacts_svc.features.date_reminders.events import DATE_REMINDER_EVENTS
from contacts_svc.features.legal_holds.events import LEGAL_HOLD_EVENTS
from contacts_svc.features.lifecycle.events import LIFECYCLE_EVENTS
from contacts_svc.features.merges.events import MERGE_EVENTS
from contacts_svc.features.pools.events import POOL_EVENTS
from contacts_svc.features.privacy_requests.events import PRIVACY_REQUEST_EVENTS
from contacts_svc.features.relating.events import RELATIONSHIP_EVENTS
from contacts_svc.features.retaining.events import RETENTION_RULE_EVENTS
from contacts_svc.features.tag_rules.events import TAG_RULE_EVENTS
from contacts_svc.features.territories.events import TERRITORY_EVENTS
from contacts_svc.features.validation_rules.events import VALIDATION_RULE_EVENTS
from contacts_svc.settings import ContactsSettings

MANIFEST = Manifest(
    name="contacts",
    package="contacts_svc",
    title="Relata contacts",
    summary="Contacts, accounts, relationships, dates, activities, consents, lifecycle, pools, fields and rules, files, privacy, retention",
    settings=ContactsSettings,
    metadata=METADATA,
    migrations=Path(__file__).parents[2] / "migrations",
    features=(
        contacts.FEATURE,
        accounts.FEATURE,
        archiving.FEATURE,
        activities.FEATURE,
        consents.FEATURE,
        consent_purposes.FEATURE,
        preferences.FEATURE,
        territories.FEATURE,
        custom_fields.FEATURE,
        validation_rules.FEATURE,
        tag_rules.FEATURE,
        tag_reasons.FEATURE,
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
        privacy_requests.FEATURE,
        privacy.FEATURE,
        legal_holds.FEATURE,
        retention_rules.FEATURE,
        relationships.FEATURE,
        date_reminders.FEATURE,
        date_occurrences.FEATURE,
    ),
    system_tables={"job": "jobs that have not ended are counted, by kind"},
    publishes=(
        CONTACT_EVENTS,
        ACCOUNT_EVENTS,
        ACTIVITY_EVENTS,
        CONSENT_EVENTS,
        TERRITORY_EVENTS,
        CUSTOM_FIELD_EVENTS,
        VALIDATION_RULE_EVENTS,
        TAG_RULE_EVENTS,
        MERGE_EVENTS,
        LIFECYCLE_EVENTS,
        POOL_EVENTS,
        CONSENT_PURPOSE_EVENTS,
        PRIVACY_REQUEST_EVENTS,
        LEGAL_HOLD_EVENTS,
        RETENTION_RULE_EVENTS,
        RELATIONSHIP_EVENTS,
        DATE_REMINDER_EVENTS,
        DATE_OCCURRENCE_EVENTS,
    ),
)
