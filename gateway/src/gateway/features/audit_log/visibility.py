"""What a reader of the audit log may see of an entry: the one place that decides it."""

from collections.abc import Mapping
from typing import Any, Final

from crm_contracts.registry import TOPICS
from crm_contracts.sensitivity import ALWAYS_SHOWN, PRIVATE, Classified, classes_of
from crm_kit.audit.schemas import AuditEntry
from crm_kit.http.principal import Principal
from crm_kit.rights import RecordRights

from gateway.features.roles.resources import resource_of

_CLASSES: Final[Mapping[str, Mapping[str, Classified]]] = {topic.entity: classes_of(topic.model) for topic in TOPICS}


def visible_changes(entry: AuditEntry, caller: Principal) -> dict[str, dict[str, Any]] | None:
    """Which members changed; of their values those that the caller might read in every record of that resource.

    An entry does not say whose the record was, so rights that reach some records only give nothing here.
    """
    rights = caller.rights
    if entry.changes is None or rights is None or rights.is_unlimited or entry.action == "read":
        return entry.changes  # of a read it is told what kind of members were shown, and none of their values
    granted = rights.on(resource_of(entry.resource)).at("all")
    classes = _CLASSES.get(entry.resource, {})
    return {name: _shown(name, values, classes.get(name), granted) for name, values in entry.changes.items()}


def _shown(name: str, values: dict[str, Any], declared: Classified | None, granted: RecordRights) -> dict[str, Any]:
    if name in ALWAYS_SHOWN:
        return values
    return {side: _seen(value, declared or PRIVATE, granted) for side, value in values.items()}


def _seen(value: Any, declared: Classified, granted: RecordRights) -> Any:
    """A value that has not its member's form has no mask either: one that was long is told by its length alone."""
    try:
        return granted.shown(value, declared.sensitivity, declared.mask) if value is not None else None
    except (TypeError, KeyError, AttributeError):
        return None


def visible(entry: AuditEntry, caller: Principal) -> AuditEntry:
    """The entry as the caller may see it."""
    return entry.model_copy(update={"changes": visible_changes(entry, caller)})
