"""What a reader of the audit log may see of an entry: the one place that decides it."""

from collections.abc import Mapping
from typing import Any, Final

from crm_contracts.registry import TOPICS
from crm_contracts.sensitivity import ALWAYS_SHOWN, Classified, classes_of
from crm_kit.audit.schemas import AuditEntry
from crm_kit.http.principal import Principal
from crm_kit.rights import RecordRights

_CLASSES: Final[Mapping[str, Mapping[str, Classified]]] = {topic.entity: classes_of(topic.model) for topic in TOPICS}
_RESOURCES: Final[Mapping[str, str]] = {
    "activity": "activities",
    "ticket_message": "tickets",
    "segment_member": "segments",
    "unsubscribe": "messages",
}
"""In whose name permissions on an entity are given, where that is not its plural."""


def visible_changes(entry: AuditEntry, caller: Principal) -> dict[str, dict[str, Any]] | None:
    """Which members changed; of their values those that the caller might read in every record of that resource.

    An entry does not say whose the record was, so rights that reach some records only give nothing here.
    """
    rights = caller.rights
    if entry.changes is None or rights is None or rights.is_unlimited:
        return entry.changes
    resource = _RESOURCES.get(entry.resource, f"{entry.resource}s")
    granted = rights.on(resource).at("all")
    classes = _CLASSES.get(entry.resource, {})
    return {name: _shown(name, values, classes.get(name), granted) for name, values in entry.changes.items()}


def _shown(name: str, values: dict[str, Any], declared: Classified | None, granted: RecordRights) -> dict[str, Any]:
    access = "read" if name in ALWAYS_SHOWN else granted.seen[declared.sensitivity if declared else "private"]
    if access in ("read", "write"):
        return values
    if access == "masked" and declared is not None and declared.mask is not None:
        return {side: _masked(declared, value) for side, value in values.items()}
    return dict.fromkeys(values)


def _masked(declared: Classified, value: Any) -> Any:
    """None where a value has not its member's form: one that was long is told by its length alone."""
    assert declared.mask is not None
    try:
        return declared.mask(value) if value is not None else None
    except (TypeError, KeyError, AttributeError):
        return None


def visible(entry: AuditEntry, caller: Principal) -> AuditEntry:
    """The entry as the caller may see it."""
    return entry.model_copy(update={"changes": visible_changes(entry, caller)})
