"""What the columns of a table may mean, and what each most likely does. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from crm_contracts.custom_fields import CustomField

ImportResource = Literal["contacts", "accounts"]

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
    "lifecycle_reason": ("lifecycle reason", "stage reason", "阶段原因", "阶段变更原因"),
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
        "do_not_contact": ("do not contact", "opted out", "请勿联系", "勿扰", "拒绝联系"),
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
_WORDS = re.compile(r"[\s_\-/.*:：()（）]+")


def is_target(resource: ImportResource, target: str) -> bool:
    """Whether a column can mean this."""
    known = target in KNOWN_HEADERS[resource] or target in _MORE_TARGETS[resource]
    return known or _OPEN_TARGETS[resource].fullmatch(target) is not None


def targets(resource: ImportResource) -> list[str]:
    """What a column can mean, but for ids of other systems and custom fields, which have names of their own."""
    return sorted({*KNOWN_HEADERS[resource], *_MORE_TARGETS[resource]})


def guess_mapping(
    resource: ImportResource, columns: Sequence[str], declared: Mapping[str, CustomField]
) -> dict[str, str | None]:
    """What each column most likely means; None where that is not clear. Only e-mails and phones may come twice.

    A custom field is known by its name and its labels.
    """
    by_header = {
        _WORDS.sub(" ", header).strip().casefold(): f"custom.{name}"
        for name, field in declared.items()
        for header in (name, field.label.en, field.label.zh)
        if header and not field.archived
    } | {header: target for target, headers in KNOWN_HEADERS[resource].items() for header in headers}
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
