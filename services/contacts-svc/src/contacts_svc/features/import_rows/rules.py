"""What the columns of a table mean, and what a row of it says of a contact or an account. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from crm_kit.errors import Text
from crm_kit.tabular import cells

ImportResource = Literal["contacts", "accounts"]
Json = dict[str, Any]

LIFECYCLE_STAGES: Final[Mapping[str, str]] = {
    "订阅者": "subscriber",
    "线索": "lead",
    "潜在客户": "lead",
    "意向客户": "qualified",
    "客户": "customer",
    "成交客户": "customer",
    "忠诚客户": "loyal",
    "流失客户": "lapsed",
}

_ADDRESS: Final[Mapping[str, Sequence[str]]] = {
    "address.street": ("street", "street address", "address", "address line 1", "地址", "详细地址", "街道", "联系地址"),
    "address.district": ("district", "suburb", "区", "区县", "县"),
    "address.city": ("city", "town", "城市", "市", "所在城市"),
    "address.region": ("region", "state", "province", "county", "省", "省份", "州", "所在省份"),
    "address.postal_code": ("postal code", "postcode", "zip", "zip code", "post code", "邮编", "邮政编码"),
    "address.country": ("country", "country code", "国家", "国家代码"),
}

_SHARED: Final[Mapping[str, Sequence[str]]] = {
    **_ADDRESS,
    "lifecycle_stage": ("lifecycle stage", "stage", "lifecycle", "客户阶段", "生命周期", "生命周期阶段"),
    "tags": ("tags", "tag", "labels", "标签", "客户标签"),
    "owner_id": ("owner id", "owner", "负责人id"),
    "team_id": ("team id", "团队id"),
}

KNOWN_HEADERS: Final[Mapping[ImportResource, Mapping[str, Sequence[str]]]] = {
    "contacts": {
        "first_name": ("first name", "given name", "forename", "fname", "名", "名字"),
        "last_name": ("last name", "surname", "family name", "lname", "姓", "姓氏"),
        "full_name": ("full name", "name", "contact", "contact name", "姓名", "客户姓名", "联系人", "联系人姓名", "名称"),
        "email": (
            "email", "e mail", "email address", "mail", "work email", "邮箱", "电子邮箱", "电子邮件", "邮件", "邮箱地址"
        ),
        "phone": (
            "phone", "phone number", "telephone", "tel", "mobile", "mobile phone", "cell", "cell phone", "work phone",
            "手机", "手机号", "手机号码", "电话", "电话号码", "联系电话", "移动电话", "固定电话",
        ),
        "wechat": ("wechat", "wechat id", "weixin", "微信", "微信号"),
        "title": ("title", "job title", "position", "职位", "职务", "头衔"),
        "birthday": ("birthday", "birth date", "date of birth", "dob", "生日", "出生日期", "出生年月"),
        "language": ("language", "locale", "语言"),
        "source": ("source", "lead source", "来源", "客户来源", "线索来源"),
        "account.name": ("company", "company name", "organisation", "organization", "account", "account name", "公司",
                         "公司名称", "单位", "企业名称", "客户公司"),
        "account.domain": ("company domain", "company domain name", "company website", "公司网站", "公司域名"),
        **_SHARED,
    },
    "accounts": {
        "name": ("name", "company", "company name", "account name", "organisation", "organization", "公司", "公司名称",
                 "企业名称", "单位", "客户名称", "名称"),
        "domain": ("domain", "company domain name", "website", "url", "域名", "网站", "官网", "公司网站"),
        "industry": ("industry", "行业", "所属行业"),
        "size": ("size", "employees", "number of employees", "人数", "员工人数", "公司规模"),
        "phone": ("phone", "phone number", "telephone", "tel", "电话", "联系电话", "公司电话"),
        "parent.name": ("parent company", "parent account", "上级公司", "母公司", "总公司"),
        **_SHARED,
    },
}  # fmt: skip
"""What is written above columns, in lower case and with single spaces, by what it means."""

DEFAULT_MATCH: Final[Mapping[ImportResource, Sequence[str]]] = {
    "contacts": ("external_id", "email", "phone"),
    "accounts": ("external_id", "domain", "name"),
}
"""What a record is found by, the surest first."""

_SYSTEM = r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}"
_OPEN_TARGETS: Final[Mapping[ImportResource, re.Pattern[str]]] = {
    "contacts": re.compile(rf"external_ids\.{_SYSTEM}|account\.external_ids\.{_SYSTEM}|custom\.[a-z][a-z0-9_]{{0,62}}"),
    "accounts": re.compile(rf"external_ids\.{_SYSTEM}|parent\.external_ids\.{_SYSTEM}|custom\.[a-z][a-z0-9_]{{0,62}}"),
}
_MORE_TARGETS: Final[Mapping[ImportResource, frozenset[str]]] = {
    "contacts": frozenset({"account_id"}),
    "accounts": frozenset({"parent_id"}),
}
_MOBILE: Final = re.compile(r"mobile|cell|手机|移动", re.IGNORECASE)
_WORDS = re.compile(r"[\s_\-/.*:：()（）]+")


def is_target(resource: ImportResource, target: str) -> bool:
    """Whether a column can mean this."""
    known = target in KNOWN_HEADERS[resource] or target in _MORE_TARGETS[resource]
    return known or _OPEN_TARGETS[resource].fullmatch(target) is not None


def targets(resource: ImportResource) -> list[str]:
    """What a column can mean, but for ids of other systems and custom fields, which have names of their own."""
    return sorted({*KNOWN_HEADERS[resource], *_MORE_TARGETS[resource]})


def guess_mapping(resource: ImportResource, columns: Sequence[str]) -> dict[str, str | None]:
    """What each column most likely means; None where that is not clear. Only e-mails and phones may come twice."""
    by_header = {header: target for target, headers in KNOWN_HEADERS[resource].items() for header in headers}
    found: dict[str, str | None] = {}
    taken: set[str] = set()
    for column in columns:
        words = _WORDS.sub(" ", column).strip().casefold()
        spelled = column.strip()
        target = spelled if is_target(resource, spelled) else by_header.get(words) or by_header.get(_numberless(words))
        if target in taken and target not in ("email", "phone"):
            target = None
        if target is not None:
            taken.add(target)
        found[column] = target
    return found


def _numberless(words: str) -> str:
    """`phone 2` is one more phone."""
    return re.sub(r"\s*\d+$", "", words)


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

    def column_of(self, pointer: str) -> str | None:
        """The column that what a fault points at came from."""
        while pointer:
            if pointer in self.places:
                return self.places[pointer]
            pointer = pointer.rpartition("/")[0]
        return None


Writer = Callable[[RowData, str, str], None]
"""Takes a row, a column's name and what its cell says, which is not blank."""


class Columns:
    """What to do with each cell of a row. `mapping`: what the columns mean."""

    def __init__(
        self,
        resource: ImportResource,
        columns: Sequence[str],
        mapping: Mapping[str, str | None],
        *,
        day_first: bool | None,
    ) -> None:
        self._resource: ImportResource = resource
        self._writers = [
            (place, column, _writer(target, column, day_first))
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
    named = data.pop("resource", resource)
    if named not in KNOWN_HEADERS:
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


def _writer(target: str, column: str, day_first: bool | None) -> Writer:
    head, _, rest = target.partition(".")
    match head:
        case "email":
            return _email
        case "phone":
            return partial(_phone, "mobile" if _MOBILE.search(column) else None)
        case "tags":
            return _tags
        case "birthday":
            return partial(_birthday, day_first)
        case "size":
            return _size
        case "lifecycle_stage":
            return _stage
        case "account" | "parent" if rest:
            return partial(_reference, rest)
        case "external_ids" | "custom" | "address":
            return partial(_member, head, rest)
        case _:
            return partial(_plain, target)


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
        told = Text("It could be day/month or month/day: set day_first", "无法判断日与月的先后：请设置 day_first")
        row.faults.append(Fault("ambiguous_date", told, column, "/birthday"))
    except ValueError:
        told = Text("Must be a date such as 1990-01-31", "必须是日期，例如 1990-01-31")
        row.faults.append(Fault("date_format", told, column, "/birthday"))


def _size(row: RowData, column: str, text: str) -> None:
    try:
        row.data["size"] = int(cells.number(text))
        row.places["/size"] = column
    except (ValueError, OverflowError):
        row.faults.append(Fault("integer", Text("Must be a whole number", "必须是整数"), column, "/size"))


def _stage(row: RowData, column: str, text: str) -> None:
    row.data["lifecycle_stage"] = LIFECYCLE_STAGES.get(text, text.casefold())
    row.places["/lifecycle_stage"] = column


def _reference(name: str, row: RowData, column: str, text: str) -> None:
    head, _, system = name.partition(".")
    if system:
        row.reference.setdefault(head, {})[system] = text
    else:
        row.reference[head] = text
    row.places[f"/account/{name.replace('.', '/')}"] = column


def with_defaults(row: RowData, defaults: Mapping[str, Any]) -> None:
    """What every row says that does not say otherwise. Tags are added."""
    for name, value in defaults.items():
        if name == "tags":
            row.data["tags"] = list(dict.fromkeys([*row.data.get("tags", []), *value]))
        else:
            row.data.setdefault(name, value)


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
