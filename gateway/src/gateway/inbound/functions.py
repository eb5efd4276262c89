"""What mappings may call beside JMESPath's own functions. Pure; each answers null for what it can make nothing of.

A shop's customer with one address that is none must not lose the order that they made.
"""

import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import phonenumbers
from crm_contracts.currencies import CURRENCIES
from crm_contracts.types import format_timestamp
from email_validator import EmailNotValidError, validate_email
from jmespath import functions

_CURRENCY_PLACES: Final = 6
_MILLISECONDS_FROM: Final = 100_000_000_000
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SPACES: Final = re.compile(r"\s+")
_ANY: Final[Any] = {"types": []}
_signature = functions.signature


def decimal_text(value: object) -> str | None:
    """An exact number as the API writes it; of a float what is printed of it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) >= Decimal(10) ** 15:
        return None
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_CURRENCY_PLACES:
        number = round(number, _CURRENCY_PLACES)
    return format(number, "f")


def money(amount: object, currency: object) -> dict[str, str] | None:
    text = decimal_text(amount)
    if text is None or not isinstance(currency, str) or currency.upper() not in CURRENCIES:
        return None
    return {"amount": text, "currency": currency.upper()}


def e164(number: object, region: object) -> str | None:
    """A number that can be dialled; without a country code it is one of the region."""
    if not isinstance(number, str) or len(number) > 40:
        return None
    try:
        parsed = phonenumbers.parse(number, region.upper() if isinstance(region, str) and region else None)
    except phonenumbers.NumberParseException:
        return None
    if parsed.extension or not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def email(value: object) -> str | None:
    if not isinstance(value, str) or not 3 <= len(value.strip()) <= 254:
        return None
    try:
        return validate_email(value.strip(), check_deliverability=False, allow_smtputf8=True).normalized
    except EmailNotValidError:
        return None


def timestamp(value: object) -> str | None:
    """RFC 3339 in UTC, of a time with offset, of one without as UTC (`date_modified_gmt`), of seconds or milliseconds."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            moment = datetime.fromtimestamp(seconds, UTC)
        elif isinstance(value, str) and value.strip().isdecimal():
            return timestamp(int(value.strip()[:15]))
        elif isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
        else:
            return None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return format_timestamp(moment) if 1000 <= moment.year <= 9000 else None


def text(value: object, length: int) -> str | None:
    """One line without white space around it, no longer than so many characters; null for an empty one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return _SPACES.sub(" ", str(value)).strip()[:length].strip() or None


class MappingFunctions(functions.Functions):
    """By name; a method is `_func_<name>`, as the library finds them."""

    @_signature(_ANY, _ANY)
    def _func_money(self, amount: object, currency: object) -> dict[str, str] | None:
        return money(amount, currency)

    @_signature(_ANY)
    def _func_decimal(self, value: object) -> str | None:
        return decimal_text(value)

    @_signature(_ANY)
    def _func_magnitude(self, value: object) -> str | None:
        """A number without its sign, exact where JMESPath's `abs` is a float; null where that fails."""
        number = decimal_text(value)
        return number.removeprefix("-") if number is not None else None

    @_signature(_ANY)
    def _func_total(self, values: object) -> str | None:
        """The sum of amounts; those that are none do not count."""
        if not isinstance(values, list):
            return None
        amounts = [Decimal(found) for value in values if (found := decimal_text(value)) is not None]
        return format(sum(amounts, Decimal(0)), "f") if amounts else None

    @_signature(_ANY, _ANY)
    def _func_e164(self, number: object, region: object) -> str | None:
        return e164(number, region)

    @_signature(_ANY)
    def _func_email(self, value: object) -> str | None:
        return email(value)

    @_signature(_ANY)
    def _func_lower(self, value: object) -> str | None:
        return value.lower() if isinstance(value, str) else None

    @_signature(_ANY)
    def _func_upper(self, value: object) -> str | None:
        return value.upper() if isinstance(value, str) else None

    @_signature(_ANY, {"types": ["number"]})
    def _func_text(self, value: object, length: float) -> str | None:
        return text(value, int(length))

    @_signature(_ANY)
    def _func_unescape(self, value: object) -> str | None:
        """Of texts that were made for a page: `&ndash;` as a dash."""
        return html.unescape(value) if isinstance(value, str) else None

    @_signature(_ANY, {"types": ["string"]})
    def _func_split(self, value: object, separator: str) -> list[str]:
        if not isinstance(value, str) or not separator:
            return []
        return [part for each in value.split(separator)[:1_000] if (part := each.strip())]

    @_signature(_ANY)
    def _func_timestamp(self, value: object) -> str | None:
        return timestamp(value)

    @_signature(_ANY)
    def _func_language(self, value: object) -> str | None:
        tag = value.replace("_", "-") if isinstance(value, str) else ""
        return tag if len(tag) <= 35 and _LANGUAGE.fullmatch(tag) else None

    @_signature(_ANY, {"types": ["object"]})
    def _func_lookup(self, key: object, table: dict[str, Any]) -> Any:
        """What stands in a table under a word, or under `*`."""
        return table.get(key if isinstance(key, str) else "", table.get("*"))

    @_signature(_ANY)
    def _func_compact(self, value: object) -> Any:
        """Without nulls; null for an object or a list of nothing else."""
        if isinstance(value, dict):
            return {name: part for name, part in value.items() if part is not None} or None
        return [part for part in value if part is not None] if isinstance(value, list) else value

    @_signature({"types": ["array"]}, _ANY)
    def _func_distinct(self, values: Sequence[Any], key: object) -> list[Any]:
        """Each once, by a member that is named, or by itself."""
        seen: set[str] = set()
        found = []
        for value in values:
            mark = repr(value.get(key)) if isinstance(key, str) and isinstance(value, dict) else repr(value)
            if mark not in seen:
                seen.add(mark)
                found.append(value)
        return found
