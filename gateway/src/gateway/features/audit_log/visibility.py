"""What a reader of the audit log may see of an entry: the one place that decides it."""

from typing import Any

from crm_kit.audit.schemas import AuditEntry
from crm_kit.http.principal import Principal


def visible_changes(entry: AuditEntry, _caller: Principal) -> dict[str, dict[str, Any]] | None:
    """The changes that the caller may see: all of them, for who may read the audit log is trusted with what it tells."""
    return entry.changes


def visible(entry: AuditEntry, caller: Principal) -> AuditEntry:
    """The entry as the caller may see it."""
    return entry.model_copy(update={"changes": visible_changes(entry, caller)})
