"""Whether a value is of its field's type. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from crm_contracts.custom_fields import CustomField
from crm_contracts.types import MAX_INTEGER, Date, Money
from pydantic import JsonValue, TypeAdapter, ValidationError

from crm_kit.errors import Text
from crm_kit.http.messages import describe, message

Fault = tuple[str, str, Text]
"""Where below the value it is (a JSON Pointer), its code, and what is said of it."""

MAX_TEXT: Final = 10_000
MAX_LINK: Final = 2_000
MAX_CHOSEN: Final = 100
MAX_JSON_BYTES: Final = 16_384

_NUMBER: Final = Text("Must be a number", "必须是数字")
_LINK: Final = Text("Must be a URL that begins with https://", "必须是以 https:// 开头的网址")
_URL = re.compile(r"https://[^\s\x00-\x1f\\]+", re.IGNORECASE)


def faults_of(field: CustomField, value: JsonValue, stored: JsonValue = None) -> Iterator[Fault]:
    """What is wrong with a value by its field's type alone. `stored`: what may be kept of it, such as archived choices.

    A type of a later release is not known here, and takes what JSON does.
    """
    match field.type:
        case "choice":
            yield from _choice(field, value, stored)
        case "multi_choice":
            yield from _choices(field, value, stored)
        case _:
            yield from _TYPES.get(field.type, _json)(value)


def is_empty(value: JsonValue) -> bool:
    """Whether it is as good as no value, for fields that are required."""
    return value is None or value in ("", [])


def _text(value: JsonValue, most: int = MAX_TEXT) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield "", "type", message("string_type")
    elif len(value) > most:
        yield "", "too_long", message("string_too_long", max_length=most)


def _link(value: JsonValue) -> Iterator[Fault]:
    fault = next(_text(value, MAX_LINK), None)
    if fault is not None:
        yield fault
    elif not _is_link(str(value)):
        yield "", "https_url", _LINK


def _is_link(value: str) -> bool:
    if not _URL.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        return bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False


def _number(value: JsonValue) -> Iterator[Fault]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield "", "type", _NUMBER
    elif not -MAX_INTEGER <= value <= MAX_INTEGER:
        yield "", "range", Text(f"Must lie within ±{MAX_INTEGER}", f"必须在 ±{MAX_INTEGER} 之间")


def _boolean(value: JsonValue) -> Iterator[Fault]:
    if not isinstance(value, bool):
        yield "", "type", message("bool_type")


def _json(value: JsonValue) -> Iterator[Fault]:
    if len(orjson.dumps(value)) > MAX_JSON_BYTES:
        kilobytes = MAX_JSON_BYTES // 1024
        yield "", "too_long", Text(f"Must have at most {kilobytes} KiB as JSON", f"JSON 最多 {kilobytes} KiB")


def _validated(kind: TypeAdapter[Any], value: JsonValue) -> Iterator[Fault]:
    try:
        kind.validate_python(value)
    except ValidationError as error:
        for detail in error.errors():
            yield ("".join(f"/{step}" for step in detail["loc"]), *describe(detail))


def _choice(field: CustomField, value: JsonValue, stored: JsonValue) -> Iterator[Fault]:
    allowed = [choice.value for choice in field.choices if not choice.archived or choice.value == stored]
    if value not in allowed:
        yield "", "choice", message("literal_error", expected=", ".join(allowed))


def _choices(field: CustomField, value: JsonValue, stored: JsonValue) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield "", "type", message("list_type")
        return
    if len(value) > MAX_CHOSEN:
        yield "", "too_long", message("too_long", max_length=MAX_CHOSEN)
        return
    kept = stored if isinstance(stored, list) else []
    for place, each in enumerate(value):
        if each in value[:place]:
            yield f"/{place}", "repeated", Text("Is there twice", "重复")
        else:
            yield from (
                (f"/{place}", code, text) for _, code, text in _choice(field, each, each if each in kept else None)
            )


_TYPES: Final[Mapping[str, Callable[[JsonValue], Iterator[Fault]]]] = {
    "text": _text,
    "link": _link,
    "number": _number,
    "boolean": _boolean,
    "date": partial(_validated, TypeAdapter(Date)),
    "money": partial(_validated, TypeAdapter(Money)),
}
