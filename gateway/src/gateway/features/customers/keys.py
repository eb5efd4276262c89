"""What a customer is looked up by, spelled so that equals are equal. Pure."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import phonenumbers


class InvalidPhone(ValueError):
    """Not a telephone number that could be dialled."""


def keys_of(identities: Iterable[Mapping[str, Any]]) -> list[str]:
    """The keys of a view's identities, sorted; a domain is none, since many customers share one."""
    keys: set[str] = set()
    for identity in identities:
        match identity["type"]:
            case "email":
                keys.add(email_key(identity["value"]))
            case "phone":
                keys.add(f"phone:{identity['value']}")
            case "wechat":
                keys.add(wechat_key(identity["value"]))
            case "external_id":
                keys.add(external_key(identity["system"], identity["value"]))
    return sorted(keys)


def email_key(address: str) -> str:
    """In practice no mail system tells cases apart."""
    return "email:" + unicodedata.normalize("NFC", address.strip()).casefold()


def phone_key(number: str, region: str) -> str:
    """A number without country code is one of `region` (ISO 3166-1). Raises InvalidPhone."""
    # EU is a region of ours and none of the numbering plan's.
    try:
        parsed = phonenumbers.parse(number, None if region == "EU" else region)
    except phonenumbers.NumberParseException as error:
        raise InvalidPhone(number) from error
    return "phone:" + phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def wechat_key(wechat: str) -> str:
    return f"wechat:{wechat.strip()}"


def external_key(system: str, value: str) -> str:
    """A colon within the system's name is escaped, so that no two ids share a key."""
    return f"external_id:{system.replace(':', '%3A')}:{value}"
