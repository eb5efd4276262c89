"""Who may see and do what: grants, whose a record is, and what is left of it in an answer (docs/adr/0018)."""

from crm_kit.rights.grants import EVERYTHING, NOTHING, Action, Level, RecordRights, ResourceRights, Rights
from crm_kit.rights.ownership import TENANT_WIDE, Ownership, Through, owned_by, shares_column, through_copies
from crm_kit.rights.sights import CUSTOM, UNDECLARED, Classes, Sights, custom_seen, redacted

__all__ = [
    "CUSTOM",
    "EVERYTHING",
    "NOTHING",
    "TENANT_WIDE",
    "UNDECLARED",
    "Action",
    "Classes",
    "Level",
    "Ownership",
    "RecordRights",
    "ResourceRights",
    "Rights",
    "Sights",
    "Through",
    "custom_seen",
    "owned_by",
    "redacted",
    "shares_column",
    "through_copies",
]
