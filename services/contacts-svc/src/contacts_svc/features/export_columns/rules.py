"""Columns by their paths: of which member each is, what it holds of a record, and how that is written. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

import orjson
from crm_contracts.contacts import Account, Activity, Contact
from crm_contracts.custom_fields import CustomField
from crm_kit.tabular import Format
from crm_kit.tabular.cells import joined
from crm_kit.tabular.workbook_writing import Cell
from pydantic import BaseModel

from contacts_svc.features.import_columns.rules import KNOWN_HEADERS, is_target

ExportResource = Literal["contacts", "accounts", "activities"]
Json = Mapping[str, Any]
Kind = Literal["text", "number", "boolean", "date", "time", "list", "money", "json"]

MODELS: Final[Mapping[ExportResource, type[BaseModel]]] = {
    "contacts": Contact,
    "accounts": Account,
    "activities": Activity,
}
REFERENCES: Final[Mapping[str, str]] = {"account": "account_id", "parent": "parent_id"}
"""By which member a record refers to the account that stands under a name."""

_REFERRING: Final[Mapping[ExportResource, str]] = {"contacts": "account", "accounts": "parent"}
OF_ACCOUNT: Final = ("name", "domain", "external_ids")
"""What an import looks an account up by."""

_NOT_TAKEN: Final = frozenset(
    {
        *("account_id", "parent_id", "territory_id", "pool_id", "shares", "merged_from"),
        *("lifecycle_changed_at", "lifecycle_history", "returns_at", "pool_history", "other_external_ids"),
        *("archived_at", "restricted"),
    }
)
"""What means nothing to another tenant, and what nobody writes; that a record refers to is told by `account` and `parent`."""

_KINDS: Final[Mapping[str, Kind]] = {
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "money": "money",
    "multi_choice": "list",
    "json": "json",
}
"""Of custom fields, by type; the others are text."""

_CUSTOM: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_BOOKKEEPING: Final = ("id", "version", "created_at", "updated_at")


class Member(NamedTuple):
    """What decides whether somebody sees a column: the resource, its member, and of custom values the field."""

    resource: str
    name: str
    custom: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """`get`: its value in what is shown of a record, under `account` or `parent` what is shown of that."""

    path: str
    member: Member
    kind: Kind
    get: Callable[[Json], Any]

    @property
    def head(self) -> str:
        return self.path.partition(".")[0]


def column(resource: ExportResource, path: str, declared: Mapping[str, CustomField]) -> Column | None:
    """None for what is no column. Of custom fields, where any are declared, those alone are."""
    head, dot, rest = path.partition(".")
    if dot and not rest:
        return None
    listed = {"email": ("emails", "address"), "phone": ("phones", "number")}
    if resource == "contacts" and path in listed:
        name, part = listed[path]
        return Column(path, Member(resource, name), "list", partial(_each, name, part))
    if head == _REFERRING.get(resource):
        return _of_account(head, rest)
    model, member, steps = MODELS[resource], Member(resource, head), rest.split(".") if rest else []
    if head == "custom" and rest:
        if not _CUSTOM.fullmatch(rest) or (declared and rest not in declared):
            return None
        kind = _KINDS.get(declared[rest].type, "text") if rest in declared else "text"
        return Column(path, Member(resource, head, rest), kind, partial(_at, (head, rest)))
    if head == "external_ids" and rest:
        steps = [rest]  # a system's name may hold dots
    if head not in model.model_fields or (found := _kind(model, [head, *steps])) is None:
        return None
    return Column(path, member, found, partial(_at, (head, *steps)))


def no_column(resource: ExportResource, path: str) -> Column:
    """Stands for a column whose custom field is gone: it stays, without a value."""
    return Column(path, Member(resource, "custom"), "text", lambda _: None)


def _of_account(head: str, rest: str) -> Column | None:
    name, _, system = rest.partition(".")
    if not rest:
        return Column(head, Member("accounts", "name"), "json", partial(_at, (head,)))
    if name not in OF_ACCOUNT or (system and name != "external_ids"):
        return None
    steps = (head, name, system) if system else (head, name)
    kind: Kind = "json" if rest == "external_ids" else "text"
    return Column(f"{head}.{rest}", Member("accounts", name), kind, partial(_at, steps))


def _at(steps: Sequence[str], value: Any) -> Any:
    """None where there is nothing."""
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _each(name: str, part: str, record: Json) -> list[str]:
    """The primary first, which an import takes the first for."""
    found = sorted(record.get(name) or (), key=lambda each: not each.get("primary"))
    return [each[part] for each in found]


def _kind(annotation: Any, steps: Sequence[str]) -> Kind | None:
    """Of what stands at the end of a path through a type; None where the path leads nowhere."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0], steps)
    if origin in (Union, UnionType):
        return next((_kind(each, steps) for each in arguments if each is not type(None)), None)
    if not steps:
        return _leaf(annotation, origin, arguments)
    step, rest = steps[0], steps[1:]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(step)
        return _kind(field.annotation, rest) if field is not None else None
    if origin is list:
        return _kind(arguments[0], rest) if step.isascii() and step.isdecimal() and len(step) < 4 else None
    if origin is dict:
        return _kind(arguments[1], rest)
    return "json" if annotation is Any else None


def _leaf(annotation: Any, origin: Any, arguments: Sequence[Any]) -> Kind:
    if origin is list:
        element = arguments[0]
        while get_origin(element) is Annotated:
            element = get_args(element)[0]
        return "list" if element is str else "json"
    plain: dict[Any, Kind] = {bool: "boolean", int: "number", float: "number", date: "date", datetime: "time"}
    if origin is dict or not isinstance(annotation, type) or issubclass(annotation, BaseModel):
        return "text" if origin is Literal else "json"
    return plain.get(annotation, "text")


def known_columns(resource: ExportResource) -> list[str]:
    """Those to name to somebody who named one that is none, but for the ones with names of the tenant's own."""
    shortened = {"email", "phone"} if resource == "contacts" else set()
    referring = _REFERRING.get(resource)
    referred = {f"{referring}.{name}" for name in OF_ACCOUNT[:2]} if referring else set()
    return sorted({*MODELS[resource].model_fields, *shortened, *referred})


def default_columns(
    resource: ExportResource, format_: Format, declared: Mapping[str, CustomField], names: Mapping[str, Iterable[str]]
) -> list[str]:
    """What an import of this format takes, so that it makes the same records elsewhere. Activities, which it does not take,
    are told in full.

    `names`: of what records have under `external_ids`, and under `custom` where nothing is declared; NDJSON takes none.
    """
    customs = [name for name, field in declared.items() if not field.archived] or names.get("custom", ())
    custom = [f"custom.{name}" for name in customs if _CUSTOM.fullmatch(name)]
    members = [name for name in MODELS[resource].model_fields if name not in _BOOKKEEPING]
    if resource == "activities":
        plain = [name for name in members if name != "custom"]
        return [*_BOOKKEEPING, *members] if format_ == "ndjson" else [*_BOOKKEEPING, *plain, *custom]
    if format_ == "ndjson":
        return [*(name for name in members if name not in _NOT_TAKEN), _REFERRING[resource]]
    systems = [f"external_ids.{name}" for name in names.get("external_ids", ())]
    return [*KNOWN_HEADERS[resource], *(each for each in [*systems, *custom] if is_target(resource, each))]


def text_of(value: Any, kind: Kind) -> str:
    """As a table of plain text writes it, and an import reads it."""
    match value:
        case None:
            return ""
        case str() if kind != "json":
            return value
        case {"amount": amount, "currency": currency} if kind == "money":
            return f"{amount} {currency}"
        case list() if kind != "json" and all(isinstance(each, str) for each in value):
            return joined(value)
        case _:
            return orjson.dumps(value).decode()


def cell_of(value: Any, kind: Kind) -> Cell:
    """As a workbook holds it: true dates and numbers, all else as text."""
    if kind in ("date", "time") and isinstance(value, str):
        return {kind: value}
    if kind in ("number", "boolean") and isinstance(value, bool | int | float):
        return value
    return text_of(value, kind)
