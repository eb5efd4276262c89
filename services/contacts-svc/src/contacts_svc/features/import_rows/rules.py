"""What the columns of a table mean, and what a row of it says of a contact or an account. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import partial
from typing import Any, Final, NamedTuple

from crm_contracts.custom_fields import CustomField
from crm_kit.custom_fields.spelled import value_in
from crm_kit.errors import Text
from crm_kit.tabular import cells

from contacts_svc.features.import_columns.rules import KNOWN_HEADERS, ImportResource

Json = dict[str, Any]

_AMBIGUOUS: Final = Text("It could be day/month or month/day: set day_first", "无法判断日与月的先后：请设置 day_first")
_MOBILE: Final = re.compile(r"mobile|cell|手机|移动", re.IGNORECASE)


class Fault(NamedTuple):
    """Why a row cannot be taken in. `column`: which one says it, where one does."""

    code: str
    text: Text
    column: str | None = None
    pointer: str | None = None


@dataclass
class RowData:
    """What a row says. `data`: as the API would be sent it; `reference`: the account that it belongs to, or lies below.

    `places`: which column says what `data` holds at a JSON Pointer.
    """

    resource: ImportResource
    data: Json = dataclass_field(default_factory=dict)
    reference: Json = dataclass_field(default_factory=dict)
    faults: list[Fault] = dataclass_field(default_factory=list)
    places: dict[str, str] = dataclass_field(default_factory=dict)


def column_of(places: Mapping[str, str], pointer: str) -> str | None:
    """The column that says what a fault points at."""
    while pointer:
        if pointer in places:
            return places[pointer]
        pointer = pointer.rpartition("/")[0]
    return None


Writer = Callable[[RowData, str, str], None]
"""Takes a row, a column's name and what its cell says, which is not blank."""


class Columns:
    """What to do with each cell of a row. `mapping`: what the columns mean; `declared`: the custom fields, by name; `stage`:
    the name of the lifecycle stage that a cell speaks of.
    """

    def __init__(
        self,
        resource: ImportResource,
        columns: Sequence[str],
        mapping: Mapping[str, str | None],
        *,
        day_first: bool | None,
        declared: Mapping[str, CustomField],
        stage: Callable[[str], str],
    ) -> None:
        self._resource: ImportResource = resource
        self._writers = [
            (place, column, _writer(target, column, day_first, declared, stage))
            for place, column in enumerate(columns)
            if (target := mapping.get(column)) is not None
        ]

    def read(self, row: Sequence[str]) -> RowData:
        found = RowData(self._resource)
        for place, column, write in self._writers:
            if place < len(row) and (text := row[place]):
                if "\ufffd" in text:
                    text_ = Text("Characters that are not of the file's encoding", "包含不属于文件编码的字符")
                    found.faults.append(Fault("encoding", text_, column))
                    continue
                write(found, column, text)
        return found


def read_object(resource: ImportResource, given: Mapping[str, Any]) -> RowData:
    """A line of NDJSON: as the API takes it, with `account` or `parent` for what it refers to, and `resource` where the
    file holds both.
    """
    data = dict(given)
    said = data.pop("resource", resource)
    named = next((each for each in KNOWN_HEADERS if each == said), None)
    if named is None:
        text = Text("Must be contacts or accounts", "必须是 contacts 或 accounts")
        return RowData(resource, faults=[Fault("choice", text, None, "/resource")])
    found = RowData(named)
    reference = data.pop("account" if named == "contacts" else "parent", None)
    if isinstance(reference, dict):
        found.reference = reference
    elif reference is not None:
        text = Text(
            "Must be an object with name, domain or external_ids", "必须是包含 name、domain 或 external_ids 的对象"
        )
        found.faults.append(Fault("type", text, None, "/account" if named == "contacts" else "/parent"))
    found.data = {name: value for name, value in data.items() if value is not None}
    return found


def _writer(
    target: str,
    column: str,
    day_first: bool | None,
    declared: Mapping[str, CustomField],
    stage: Callable[[str], str],
) -> Writer:
    head, _, rest = target.partition(".")
    if head == "custom" and rest in declared:
        return partial(_custom, declared[rest], day_first)
    match head:
        case "phone":
            return partial(_phone, "mobile" if _MOBILE.search(column) else None)
        case "birthday":
            return partial(_birthday, day_first)
        case "lifecycle_stage":
            return partial(_stage, stage)
        case "account" | "parent" if rest:
            return partial(_reference, rest)
        case "external_ids" | "custom" | "address":
            return partial(_member, head, rest)
        case _:
            return _OF_MEMBERS.get(head) or partial(_plain, target)


def _plain(target: str, row: RowData, column: str, text: str) -> None:
    row.data[target] = text
    row.places[f"/{target}"] = column


def _member(head: str, name: str, row: RowData, column: str, text: str) -> None:
    if name == "country":
        text = text.upper() if len(text) == 2 else text
    row.data.setdefault(head, {})[name] = text
    row.places[f"/{head}/{name}"] = column


def _email(row: RowData, column: str, text: str) -> None:
    emails = row.data.setdefault("emails", [])
    for address in cells.several(text):
        row.places[f"/emails/{len(emails)}"] = column
        emails.append({"address": address})


def _phone(label: str | None, row: RowData, column: str, text: str) -> None:
    if row.resource == "accounts":
        row.data["phone"] = text
        row.places["/phone"] = column
        return
    phones = row.data.setdefault("phones", [])
    for number in cells.several(text):
        row.places[f"/phones/{len(phones)}"] = column
        phones.append({"number": number, "label": label})


def _tags(row: RowData, column: str, text: str) -> None:
    row.data["tags"] = cells.several(text)
    row.places["/tags"] = column


def _birthday(day_first: bool | None, row: RowData, column: str, text: str) -> None:
    try:
        row.data["birthday"] = cells.day(text, day_first=day_first).isoformat()
        row.places["/birthday"] = column
    except cells.Ambiguous:
        row.faults.append(Fault("ambiguous_date", _AMBIGUOUS, column, "/birthday"))
    except ValueError:
        told = Text("Must be a date such as 1990-01-31", "必须是日期，例如 1990-01-31")
        row.faults.append(Fault("date_format", told, column, "/birthday"))


def _do_not_contact(row: RowData, column: str, text: str) -> None:
    try:
        row.data["do_not_contact"] = cells.truth(text)
        row.places["/do_not_contact"] = column
    except ValueError:
        row.faults.append(Fault("boolean", Text("Must be yes or no", "必须是“是”或“否”"), column, "/do_not_contact"))


def _size(row: RowData, column: str, text: str) -> None:
    try:
        row.data["size"] = int(cells.number(text))
        row.places["/size"] = column
    except (ValueError, OverflowError):
        row.faults.append(Fault("integer", Text("Must be a whole number", "必须是整数"), column, "/size"))


def _stage(stage: Callable[[str], str], row: RowData, column: str, text: str) -> None:
    row.data["lifecycle_stage"] = stage(text)
    row.places["/lifecycle_stage"] = column


def _custom(field: CustomField, day_first: bool | None, row: RowData, column: str, text: str) -> None:
    pointer = f"/custom/{field.name}"
    row.places[pointer] = column
    try:
        row.data.setdefault("custom", {})[field.name] = value_in(field, text, day_first=day_first)
    except cells.Ambiguous:
        row.faults.append(Fault("ambiguous_date", _AMBIGUOUS, column, pointer))


def _reference(name: str, row: RowData, column: str, text: str) -> None:
    head, _, system = name.partition(".")
    if system:
        row.reference.setdefault(head, {})[system] = text
    else:
        row.reference[head] = text
    row.places[f"/account/{name.replace('.', '/')}"] = column


_OF_MEMBERS: Final[Mapping[str, Writer]] = {
    "email": _email,
    "tags": _tags,
    "size": _size,
    "do_not_contact": _do_not_contact,
}


def with_defaults(row: RowData, defaults: Mapping[str, Any]) -> None:
    """What every row says that does not say otherwise. Tags are added."""
    for name, value in defaults.items():
        given = row.data.setdefault(name, value)
        if name == "tags" and isinstance(given, list):
            row.data["tags"] = [*given, *(tag for tag in value if tag not in given)]


def same_name(one: str | None, other: str | None) -> bool:
    """Whether two names may be one person's: alike but for case, spaces and the order of the words; or one is not known."""
    if not one or not other:
        return True
    if _words_of(one) == _words_of(other):
        return True
    return "".join(one.split()).casefold() == "".join(other.split()).casefold()


def _words_of(name: str) -> list[str]:
    return sorted(name.casefold().replace(",", " ").split())


def added(present: Json, given: Json, *, fill: bool, email_key: Callable[[str], str]) -> Json:
    """The merge patch by which a record takes in what a row says of it, and loses nothing.

    Lists and sets grow; a plain member is replaced, or with `fill` only filled where it is empty. Both are as the API has
    them, numbers and addresses normalised.
    """
    patch: Json = {}
    for name, value in given.items():
        old = present.get(name)
        match name:
            case "emails":
                known = {email_key(each["address"]) for each in old or ()}
                patch[name] = _grown(old, [{**each, "primary": False} for each in value], known, "address", email_key)
            case "phones":
                patch[name] = _grown(old, value, {each["number"] for each in old or ()}, "number", str)
            case "tags":
                patch[name] = list(dict.fromkeys([*(old or ()), *value]))
            case "address" | "external_ids" | "custom":
                inner = {key: each for key, each in value.items() if not (fill and (old or {}).get(key) is not None)}
                patch[name] = inner
            case _ if not (fill and old is not None):
                patch[name] = value
    if "lifecycle_stage" in given and "lifecycle_stage" not in patch:
        patch.pop("lifecycle_reason", None)  # it is why the record would have come there
    return patch


def _grown(
    old: Sequence[Json] | None, new: Iterable[Json], known: set[str], by: str, key: Callable[[str], str]
) -> list[Json]:
    grown = list(old or ())
    for each in new:
        if (found := key(each[by])) not in known:
            known.add(found)
            grown.append(each)
    return grown


def restoring(present: Json, before: Json, after: Json) -> tuple[Json, list[str]]:
    """The merge patch that takes an import's change back, member by member; and the members that somebody has changed since.

    `before` and `after`: the members that the import changed.
    """
    patch: Json = {}
    kept: list[str] = []
    for name, value in before.items():
        now = present.get(name)
        if now == value:
            continue
        if now != after.get(name):
            kept.append(name)
            continue
        patch[name] = {**dict.fromkeys(now), **value} if isinstance(now, dict) and isinstance(value, dict) else value
    return patch, kept
