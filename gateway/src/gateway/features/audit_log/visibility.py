"""What a reader of the audit log may see of an entry: the one place that decides it."""

from collections.abc import Mapping
from typing import Any, Final

from crm_contracts.registry import TOPICS
from crm_contracts.sensitivity import ALWAYS_SHOWN, PRIVATE, Classified, classes_of
from crm_kit.audit.schemas import AuditEntry
from crm_kit.custom_fields import DeclaredFields, declared_of
from crm_kit.http.principal import Principal
from crm_kit.rights import CUSTOM, Classes, RecordRights, custom_seen

from gateway.features.roles.resources import resource_of

_CLASSES: Final[Mapping[str, Mapping[str, Classified]]] = {topic.entity: classes_of(topic.model) for topic in TOPICS}


def visible_changes(entry: AuditEntry, caller: Principal, declared: DeclaredFields) -> dict[str, dict[str, Any]] | None:
    """Which members changed; of their values those that the caller might read in every record of that resource.

    An entry does not say whose the record was, so rights that reach some records only give nothing here.
    """
    rights = caller.rights
    if entry.changes is None or rights is None or rights.is_unlimited or entry.action == "read":
        return entry.changes  # of a read it is told what kind of members were shown, and none of their values
    resource = resource_of(entry.resource)
    granted, classes = rights.on(resource).at("all"), _CLASSES.get(entry.resource, {})
    shown = {name: _shown(name, values, classes.get(name), granted) for name, values in entry.changes.items()}
    if (custom := declared_of(declared, resource).classes) and CUSTOM in entry.changes:
        shown[CUSTOM] |= _custom(entry.changes[CUSTOM], custom, granted)
    return shown


def _custom(values: dict[str, Any], declared: Classes, granted: RecordRights) -> dict[str, Any]:
    """Before and after, each value by what it was declared."""
    sides = {side: values[side] for side in ("before", "after") if isinstance(values.get(side), dict)}
    seen = {side: custom_seen(value, declared, granted) for side, value in sides.items()}
    return {side: some.shown if some is not None else None for side, some in seen.items()}


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


def visible(entry: AuditEntry, caller: Principal, declared: DeclaredFields) -> AuditEntry:
    """The entry as the caller may see it; `declared`: the custom fields of their tenant."""
    return entry.model_copy(update={"changes": visible_changes(entry, caller, declared)})
