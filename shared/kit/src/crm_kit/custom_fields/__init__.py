"""Custom fields: values under `custom` that are judged, found and shown as a tenant has declared at run time."""

from crm_kit.custom_fields.declared import NOTHING_DECLARED, Declared, faults_in
from crm_kit.custom_fields.standing import lock_custom_fields, standing_custom_fields

__all__ = [
    "NOTHING_DECLARED",
    "Declared",
    "faults_in",
    "lock_custom_fields",
    "standing_custom_fields",
]
