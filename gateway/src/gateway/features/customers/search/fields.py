"""What of a customer is searched: texts, folded, each with what kind of member it stands in. Pure."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import orjson
import phonenumbers
from crm_kit.texts.folding import fold_each

from gateway.features.customers.entities import moment

_FORM: Final = 1
"""Of what is kept of a customer: whoever changes it lets a migration queue all tenants in `search_filling`."""

FieldName = Literal[
    "name",
    "company",
    "domain",
    "email",
    "phone",
    "wechat",
    "external_id",
    "order_number",
    "invoice_number",
    "ticket_number",
]
Part = Literal["personal", "open", "company", "commercial"]
"""By which right a text is seen: of the customer's own members by their sensitivity; `company`: its account's name."""

PARTS: Final[tuple[Part, ...]] = ("personal", "open", "company", "commercial")
NAMES: Final[frozenset[FieldName]] = frozenset({"name", "company"})

_CODES: Final[Mapping[FieldName, str]] = {
    "name": "N", "company": "C", "domain": "D", "email": "E", "phone": "P", "wechat": "W", "external_id": "X",
}  # fmt: skip
_FIELDS: Final = {code: name for name, code in _CODES.items()}

# What joins two parts of a word is dropped: o'neill is one, and so is 阿卜杜·热合曼.
_JOINERS: Final = re.compile(r"['’`´·\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SPACES: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_NO_DIGITS: Final = re.compile(r"\D")
_CHINESE_MOBILE: Final = re.compile(r"\+861[3-9][0-9]{9}")


class SearchedText(NamedTuple):
    """One text of a customer, folded."""

    field: FieldName
    text: str


@dataclass(frozen=True, slots=True)
class Searched:
    """What is kept of a customer to be searched: by part, its texts. `digest` is of all that is kept."""

    id: str
    kind: str
    archived: bool
    created_at: datetime
    account_id: str | None
    digest: bytes
    texts: Mapping[Part, list[SearchedText]]


def folded(text: str) -> str:
    """As texts are compared: on one line, in one case and script, without marks."""
    return _SPACES.sub(" ", _JOINERS.sub("", fold_each(text))).strip()


def digest_of(content: Mapping[str, Any]) -> bytes:
    """Of all that `searched` takes from the content of a view: it is asked of each, and few have changed."""
    profile, account = content["profile"], content["account"]
    names = [profile.get(name) for name in ("full_name", "first_name", "last_name", "name")]
    identities = [(each["type"], each["value"], each.get("system")) for each in content["identities"]]
    company = (account["id"], account["name"]) if account else None
    told = [_FORM, names, identities, company, profile["created_at"], profile.get("archived_at") is not None]
    return hashlib.blake2b(orjson.dumps(told), digest_size=8).digest()


def searched(content: Mapping[str, Any]) -> Searched:
    """Of the content of a view: its kind, profile, account and identities."""
    profile, account = content["profile"], content["account"]
    texts: dict[Part, list[SearchedText]] = {part: [] for part in PARTS}
    is_contact = content["kind"] == "contact"
    texts["personal" if is_contact else "open"] += _texts("name", _names(profile))
    for identity in content["identities"]:
        part, found = _identity(identity, is_contact=is_contact)
        texts[part] += [text for text in found if text not in texts[part]]
    if account:
        texts["company"] += _texts("company", [account["name"]])
    return Searched(
        id=content["id"],
        kind=content["kind"],
        archived=profile.get("archived_at") is not None,
        created_at=moment(profile["created_at"]),
        account_id=account["id"] if account else None,
        digest=digest_of(content),
        texts=texts,
    )


def _names(profile: Mapping[str, Any]) -> Iterator[str]:
    """The whole, and its parts where they are not in it."""
    whole = profile.get("full_name") or profile.get("name") or ""
    yield whole
    parts = [part for name in ("first_name", "last_name") if (part := profile.get(name))]
    if any(part not in whole for part in parts):
        yield " ".join(parts)


def _identity(identity: Mapping[str, Any], *, is_contact: bool) -> tuple[Part, list[SearchedText]]:
    value = identity["value"]
    match identity["type"]:
        case "phone":
            return "personal", [SearchedText("phone", digits) for digits in phone_digits(value)]
        case "domain":
            return "open", _texts("domain", [value])
        case "external_id":
            return "personal" if is_contact else "commercial", _texts("external_id", [value])
        case "email":
            return "personal", _texts("email", [value])
        case _:
            return "personal", _texts("wechat", [value])


def _texts(field: FieldName, texts: Iterable[str]) -> list[SearchedText]:
    return [SearchedText(field, plain) for text in texts if (plain := folded(text))]


@lru_cache(maxsize=1_000)
def phone_digits(number: str) -> tuple[str, ...]:
    """Of a number in E.164: with the country's code, and as it is dialled within the country."""
    if _CHINESE_MOBILE.fullmatch(number):  # as below, at a hundredth of the time
        return number[1:], number[3:]
    whole = _NO_DIGITS.sub("", number)
    try:
        parsed = phonenumbers.parse(number, None)
        within = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    except phonenumbers.NumberParseException:
        return (whole,) if whole else ()
    national = _NO_DIGITS.sub("", within)
    return (whole,) if national == whole else (whole, national)


def spelled(texts: Iterable[SearchedText]) -> str | None:
    """As a row keeps them, each on a line behind a capital letter, which no folded text has."""
    return "\n".join(f"{_CODES[each.field]}{each.text}" for each in texts) or None


def parse(kept: str | None) -> list[SearchedText]:
    """What `spelled` was given."""
    return [SearchedText(_FIELDS[line[0]], line[1:]) for line in kept.split("\n")] if kept else []
