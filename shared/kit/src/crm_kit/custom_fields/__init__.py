"""Custom fields: values under `custom` that are judged, found and shown as a tenant has declared at run time."""

from crm_kit.custom_fields.copies import (
    CUSTOM_FIELD_COPY,
    DeclaredFields,
    copied_custom_fields,
    declared_of,
    follow_custom_fields,
)
from crm_kit.custom_fields.declared import NOTHING_DECLARED, Declared, faults_in
from crm_kit.custom_fields.standing import lock_custom_fields, standing_custom_fields

__all__ = [
    "CUSTOM_FIELD_COPY",
    "NOTHING_DECLARED",
    "Declared",
    "DeclaredFields",
    "copied_custom_fields",
    "declared_of",
    "faults_in",
    "follow_custom_fields",
    "lock_custom_fields",
    "standing_custom_fields",
]
