"""Pure decisions about contacts: names, addresses of communication, external ids."""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Final, NamedTuple

import phonenumbers
from email_validator import EmailNotValidError, validate_email

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff·]+")

_REMEMBERED: Final = 2_000
"""Addresses and numbers: one is normalised several times on its way, by whoever validates, matches and writes it."""

_PLAIN_LOCAL_PART = re.compile(r"[A-Za-z0-9_+\-]+(\.[A-Za-z0-9_+\-]+)*", re.ASCII)
_SHORT_EMAIL: Final = 60
"""Whatever its parts are, none of them is too long (RFC 5321 §4.5.3.1.1: 64 for the first)."""

_PHONE_PUNCTUATION = re.compile(r"[\s().\-]")

# Two-character surnames in use today; the first two characters of a longer name are one of them or else one is.
COMPOUND_SURNAMES: Final = frozenset(
    """
    欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台 皇甫 宗政 濮阳 公冶 太叔 申屠
    公孙 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于 司空 闾丘 子车 亓官 司寇 巫马 公西 颛孙 壤驷 公良 漆雕 乐正 宰父 谷梁
    拓跋 夹谷 轩辕 令狐 段干 百里 呼延 东郭 南门 羊舌 微生 梁丘 左丘 东门 西门 第五 歐陽 司馬 諸葛 東方 獨孤 長孫
    """.split()
)


class PersonName(NamedTuple):
    first: str | None
    last: str | None
    full: str | None


class InvalidPhone(ValueError):
    """Not a telephone number that could be dialled."""


class InvalidEmail(ValueError):
    """Not an e-mail address."""


def is_han(text: str) -> bool:
    """Whether a name is written in Chinese characters alone."""
    return bool(_HAN.fullmatch(text.replace(" ", "").replace("\u3000", "")))


def complete_name(first: str | None, last: str | None, full: str | None) -> PersonName:
    """Fills in the parts that were not given; never changes one that was.

    A Chinese name is kept whole, and split into surname and given name: 欧阳晓梅 is 欧阳 and 晓梅, 王伟 is 王 and 伟.
    Any other full name is split at its last space.
    """
    if full is None:
        return PersonName(first, last, _joined(first, last))
    if first is not None or last is not None:
        return PersonName(first, last, full)
    if is_han(full):
        surname, given = split_han(full)
        return PersonName(given, surname, full)
    head, tail = (part.strip() for part in full.rpartition(" ")[::2])
    return PersonName(head, tail, full) if head and tail else PersonName(full, None, full)


def split_han(full: str) -> tuple[str, str | None]:
    """Surname and given name of a Chinese name; of one of a single character, the surname alone."""
    parts = full.split()
    if len(parts) == 2:
        return parts[0], parts[1]
    name = "".join(parts)
    if "·" in name:  # a name of another people in Chinese writing: given name first, as 卡尔·马克思
        given, _, family = name.rpartition("·")
        return family or name, given or None
    length = 2 if len(name) > 2 and name[:2] in COMPOUND_SURNAMES else 1
    return name[:length], name[length:] or None


def _joined(first: str | None, last: str | None) -> str | None:
    if first is None or last is None:
        return first or last
    if is_han(first) and is_han(last):
        return last + first
    return f"{first} {last}"


def normalise_phone(number: str, region: str) -> str:
    """E.164. A number without country code is one of `region` (ISO 3166-1). Raises InvalidPhone.

    An extension has no place in E.164 and is refused rather than dropped.
    """
    plain = number.removeprefix("+86")
    if (plain != number or region == "CN") and _chinese_mobile().fullmatch(plain):
        return f"+86{plain}"  # what the library comes to, for a thirtieth of the time
    return _normalise_phone(number, region)


@cache
def _chinese_mobile() -> re.Pattern[str]:
    """By the library's own metadata; it has no prefix for trunk or carrier that the library would take off."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region("CN")
    assert metadata is not None, "the library knows China"
    assert metadata.mobile is not None
    return re.compile(rf"(?!1(?:[12]|79))(?:{metadata.mobile.national_number_pattern})", re.ASCII)


@lru_cache(maxsize=_REMEMBERED)
def _normalise_phone(number: str, region: str) -> str:
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException as error:
        raise InvalidPhone(number) from error
    if parsed.extension or not phonenumbers.is_valid_number(parsed):
        raise InvalidPhone(number)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def normalise_email(address: str) -> str:
    """The address with its domain in lower case; the local part as given. Asks no name server. Raises InvalidEmail."""
    address = address.strip()
    local, _, domain = address.rpartition("@")
    if len(address) > _SHORT_EMAIL or not _PLAIN_LOCAL_PART.fullmatch(local):
        return _normalise_email(address)
    return f"{local}{_normalise_email(f'a@{domain}')[1:]}"  # millions of people have their addresses in few domains


@lru_cache(maxsize=_REMEMBERED)
def _normalise_email(address: str) -> str:
    try:
        return validate_email(address, check_deliverability=False, allow_smtputf8=True).normalized
    except EmailNotValidError as error:
        raise InvalidEmail(address) from error


def phone_key(number: str) -> str:
    """What two numbers are compared by: `+86 138-0013 8000` is `+8613800138000`."""
    return _PHONE_PUNCTUATION.sub("", number)


def email_key(address: str) -> str:
    """What two addresses are compared by: in practice no mail system tells cases apart."""
    return address.casefold()


def displaced(
    before: Mapping[str, str], now: Mapping[str, str], others: Sequence[Mapping[str, str]]
) -> list[dict[str, str]]:
    """The other external ids after one of them has become a contact's own: what was its own in that system is another now."""
    known = {(each["system"], each["id"]) for each in others}
    known |= {item for item in before.items() if (item[0], now.get(item[0])) in known}
    return [{"system": system, "id": id_} for system, id_ in sorted(known - set(now.items()))]


def unique(values: Sequence[str]) -> list[str]:
    """In the order of their first occurrence."""
    return list(dict.fromkeys(values))
