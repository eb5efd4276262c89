"""Value types that every contract shares. They refuse what PostgreSQL or JSON could not carry."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, get_args
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from crm_contracts.currencies import CURRENCIES
from crm_contracts.sensitivity import OPEN

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON client carries exactly (RFC 8259 §6)."""

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
_YEARS = "^[1-8][0-9]{3}-"
"""In schemas: the years that `Timestamp` and `Date` accept."""


def _clean_text(value: str) -> str:
    found = _UNSTORABLE.search(value)
    if found is None:
        return value
    if "\x00" in value:
        raise PydanticCustomError("text_nul", "Must not contain the NUL character")
    raise PydanticCustomError("text_surrogate", "Must be valid Unicode without lone surrogates")


def text(max_length: int, *, min_length: int = 0) -> Any:
    """A text type: valid Unicode, no NUL, at most `max_length` code points."""
    return Annotated[
        str,
        StringConstraints(strict=True, min_length=min_length, max_length=max_length),
        AfterValidator(_clean_text),
    ]


Text = Annotated[str, StringConstraints(strict=True, max_length=500), AfterValidator(_clean_text)]
"""One line of text, up to 500 code points."""

NOT_BLANK = Field(json_schema_extra={"pattern": r"[^\s\u0085]"})
"""Beside `strip_whitespace` and `min_length`: what the two mean together, for the schema."""

Name = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=200, strip_whitespace=True),
    AfterValidator(_clean_text),
    NOT_BLANK,
]
"""A name: not blank, up to 200 code points, without white space around it."""

LongText = Annotated[str, StringConstraints(strict=True, max_length=50_000), AfterValidator(_clean_text)]
"""A body of text, up to 50,000 code points."""

Slug = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")
]
"""A short machine-readable word: a source system, a label."""

ExternalKey = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200), AfterValidator(_clean_text)]
"""An id that another system gave."""

Tag = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=64, strip_whitespace=True),
    AfterValidator(_clean_text),
    NOT_BLANK,
]

LanguageTag = Annotated[
    str, StringConstraints(strict=True, max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
]
"""A BCP 47 language tag such as `zh-CN`."""


def _timestamp(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        raise PydanticCustomError(
            "timestamp_format", "Must be an RFC 3339 time with an offset, such as 2026-10-01T08:00:00Z"
        )
    return value


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise PydanticCustomError(
            "timestamp_format", "Must be an RFC 3339 time with an offset, such as 2026-10-01T08:00:00Z"
        )
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        moment = None
    if moment is None or not 1000 <= moment.year <= 9000:
        raise PydanticCustomError("timestamp_range", "Must lie between the years 1000 and 9000")
    return moment


def format_timestamp(value: datetime) -> str:
    """RFC 3339 in UTC with `Z`; microseconds only where there are any."""
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    return f"{moment.isoformat()[:-6]}Z"


Timestamp = Annotated[
    datetime,
    BeforeValidator(_timestamp),
    AfterValidator(_to_utc),
    PlainSerializer(format_timestamp, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _YEARS, "examples": ["2026-10-01T08:00:00Z"]}),
]


def _date(value: object) -> object:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise PydanticCustomError("date_format", "Must be a date as YYYY-MM-DD")
    return value


def _date_range(value: date) -> date:
    if not 1000 <= value.year <= 9000:
        raise PydanticCustomError("date_range", "Must lie between the years 1000 and 9000")
    return value


Date = Annotated[
    date,
    BeforeValidator(_date),
    AfterValidator(_date_range),
    WithJsonSchema({"type": "string", "format": "date", "pattern": _YEARS, "examples": ["2026-10-01"]}),
]


_known_zones = cache(available_timezones)


def _zone(value: str) -> str:
    if value not in _known_zones():
        raise PydanticCustomError(
            "time_zone",
            "Must be a time zone of the IANA database, such as Asia/Shanghai",
            {"zh": "必须是 IANA 时区名，例如 Asia/Shanghai"},
        )
    return value


TimeZoneName = Annotated[
    str,
    StringConstraints(strict=True, max_length=64),
    AfterValidator(_zone),
    Field(description="IANA name", examples=["Asia/Shanghai"]),
]


def _decimal(value: object) -> object:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise PydanticCustomError(
            "decimal_format",
            'Must be a decimal string such as "1999.00" with at most 15 digits before and 6 after the point',
        )
    return value


def _plain(value: Decimal) -> str:
    return format(value, "f")


DecimalString = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    PlainSerializer(_plain, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$", "examples": ["1999.00"]}),
]
"""An exact decimal, carried as a string and never as a float."""


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise PydanticCustomError("currency_unknown", "Must be an active ISO 4217 currency code such as CNY")
    return value


Currency = Annotated[
    str,
    StringConstraints(strict=True),
    AfterValidator(_currency),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES), "examples": ["CNY"]}),
]


def known(words: Any) -> WithJsonSchema:
    """For what is read: a word out of an open vocabulary, `words` (a Literal) being those of this release.

    A later minor may bring more of them, so a reader takes any; who writes is still held to `words`. A member that is a
    plain Literal is closed: another word there needs a new major.
    """
    found = list(get_args(words))
    return WithJsonSchema({"type": "string", "x-extensible-enum": found, "examples": found[:1]})


class Contract(BaseModel):
    """Base of everything that is read: unknown fields are ignored, so that producers may add some."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, from_attributes=True, json_schema_serialization_defaults_required=True
    )


class Input(BaseModel):
    """Base of everything that a client writes: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Money(BaseModel):
    """An amount in a currency: `{"amount": "1999.00", "currency": "CNY"}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: DecimalString
    currency: Currency


_SUM = re.compile(r"-?\d{1,40}(\.\d{1,6})?")


def _sum(value: object) -> object:
    if isinstance(value, str) and not _SUM.fullmatch(value):
        raise PydanticCustomError("decimal_format", "Must be a decimal string")
    return value


class MoneySum(BaseModel):
    """A sum of amounts in one currency: it may have more digits than a single amount."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: Annotated[
        Decimal,
        BeforeValidator(_sum),
        PlainSerializer(_plain, return_type=str, when_used="json"),
        WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,40}(\.[0-9]{1,6})?$", "examples": ["1999.00"]}),
    ]
    currency: Currency


def _not_negative(value: Money) -> Money:
    if value.amount.is_signed():
        raise PydanticCustomError("money_negative", "Must not be negative")
    return value


NonNegativeMoney = Annotated[
    Money,
    AfterValidator(_not_negative),
    Field(json_schema_extra={"properties": {"amount": {"pattern": "^[0-9]"}}}),
]


def by_name(schema: dict[str, Any]) -> None:
    """For dictionaries whose keys have a pattern: no others, said so that generators of clients understand it."""
    for pattern, values in schema.pop("patternProperties", {}).items():
        schema["additionalProperties"] = values
        schema["propertyNames"] = {**schema.get("propertyNames", {}), "pattern": pattern}


_Scalar = str | bool | Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)] | float | None


def _without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


CustomName = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]{0,62}$")]

CustomFields = Annotated[
    dict[CustomName, _Scalar | Annotated[list[_Scalar], Field(max_length=100)]],
    Field(max_length=500, json_schema_extra=by_name),
    AfterValidator(_without_nulls),
]
"""Values under `custom`: scalars or lists of them, by snake_case name; null is the same as absent."""


def _declared(schema: dict[str, Any]) -> None:
    by_name(schema)
    schema["x-relata-declared"] = True


CustomValues = Annotated[
    dict[CustomName, JsonValue], Field(max_length=500, json_schema_extra=_declared), AfterValidator(_without_nulls)
]
"""The same where tenants declare fields (`crm_contracts.custom_fields`): of what type a value is, the declaration says."""


class Entity(Contract):
    """What every stored thing has."""

    version: Annotated[int, Field(ge=1, le=MAX_INTEGER, description="Rises by one with every change"), OPEN]
    created_at: Annotated[Timestamp, OPEN]
    updated_at: Annotated[Timestamp, OPEN]
