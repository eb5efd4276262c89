"""Which resource an entity is of: in its name permissions on the entity are given. Pure."""

from collections.abc import Mapping
from typing import Final

from crm_contracts.registry import TOPICS
from crm_contracts.types import Entity

_OTHERWISE: Final[Mapping[str, str]] = {
    "activity": "activities",
    "consent_purpose": "consent-purposes",
    "custom_field": "custom-fields",
    "privacy_request": "privacy-requests",
    "date_occurrence": "date-occurrences",
    "date_reminder": "date-reminders",
    "lifecycle": "lifecycle",
    "legal_hold": "legal-holds",
    "retention_rule": "retention-rules",
    "territory": "territories",
    "inbound_source": "inbound-sources",
    "sync_conflict": "sync-conflicts",
    "ticket_message": "tickets",
    "segment_member": "segments",
    "unsubscribe": "messages",
    "tag_rule": "tag-rules",
    "validation_rule": "validation-rules",
    "webhook_endpoint": "webhook-endpoints",
}
"""Where that is not the entity's plural."""


def resource_of(entity: str) -> str:
    """Of an entity's type, as its ids begin."""
    return _OTHERWISE.get(entity, f"{entity}s")


MODEL_OF: Final[Mapping[str, type[Entity]]] = {resource_of(topic.entity): topic.model for topic in reversed(TOPICS)}
"""The entity of a resource; of a whole and its parts, which the registry names behind it, the whole."""
