"""`?include=` and `?fields=`: less of a view. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from crm_contracts.contacts import Account, Contact
from crm_contracts.relationships import Relationship
from crm_kit.errors import FieldError, Text, ValidationFailed

ALWAYS: Final = ("id", "kind", "version", "as_of", "degraded", "redacted", "masked")
SECTIONS: Final = (
    "profile account contacts relationships tags lifecycle_stage identities consents scores sales support marketing timeline sources"
).split()
_MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "profile": frozenset({*Contact.model_fields, *Account.model_fields}),
    "account": frozenset(Account.model_fields),
    "contacts": frozenset(Contact.model_fields),
    "relationships": frozenset(Relationship.model_fields),
    "scores": frozenset("rfm tier churn lifetime_value lead".split()),
    "sales": frozenset("open_deals open_value won_value orders quotes invoices_due tasks".split()),
    "support": frozenset("open_tickets counts last_csat sentiment".split()),
    "marketing": frozenset("segments journeys recent_messages coupons points".split()),
    "sources": frozenset("contacts pipeline tickets campaigns".split()),
}
_MAX_NAMES: Final = 100

Path = tuple[str, ...]


def parse_selection(include: str | None, fields: str | None) -> list[Path] | None:
    """The paths that are wanted, both parameters together; None for all. Raises ValidationFailed."""
    if include is None and fields is None:
        return None
    faults: list[FieldError] = []
    paths: list[Path] = []
    for parameter, value in (("include", include), ("fields", fields)):
        names = [name.strip() for name in (value or "").split(",") if name.strip()]
        for name in names[:_MAX_NAMES]:
            path = tuple(name.split(".")) if parameter == "fields" else (name,)
            if _is_known(path):
                paths.append(path)
            else:
                faults.append(_unknown(parameter, name))
        if len(names) > _MAX_NAMES:
            text = Text(f"At most {_MAX_NAMES} names.", f"最多 {_MAX_NAMES} 个名称。")
            faults.append(FieldError(f"?{parameter}", "too_many", text))
    if faults:
        raise ValidationFailed(
            Text("Some names are not known; see errors.", "有未知的名称，见 errors。"), errors=faults
        )
    return paths


def _is_known(path: Path) -> bool:
    if path[0] in ALWAYS:
        return len(path) == 1
    if path[0] not in SECTIONS or not all(path):
        return False
    return len(path) == 1 or path[0] not in _MEMBERS or path[1] in _MEMBERS[path[0]]


def _unknown(parameter: str, name: str) -> FieldError:
    known = ", ".join(SECTIONS)
    return FieldError(
        f"?{parameter}",
        "unknown_field",
        Text(
            f"{name[:100]!r} is not part of a view. Its sections: {known}.",
            f"视图没有 {name[:100]!r}。可用部分：{known}。",
        ),
    )


def select(document: Mapping[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """What the paths lead to, and what every view has. A path that meets a list goes on in each of its elements."""
    wanted = {(name,) for name in ALWAYS} | set(paths)
    narrowed = _narrow(document, wanted)
    assert isinstance(narrowed, dict), "a view is an object"
    return narrowed


def _narrow(value: Any, paths: set[Path]) -> Any:
    if () in paths:
        return value
    if isinstance(value, list):
        return [_narrow(element, paths) for element in value]
    if not isinstance(value, Mapping):
        return value
    heads = {path[0] for path in paths}
    return {
        name: _narrow(inner, {path[1:] for path in paths if path[0] == name})
        for name, inner in value.items()
        if name in heads
    }
