"""What a validation error says, in English and Chinese. Codes are ours: no library can rename them."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic_core.core_schema import ErrorType

from crm_kit.errors import Text

_PYDANTICS_OWN = frozenset(get_args(ErrorType))

_MESSAGES: Mapping[str, tuple[str, str, str]] = {
    "missing": ("required", "Is required", "必填"),
    "extra_forbidden": ("unknown_field", "Is not a known field", "未知字段"),
    "string_type": ("type", "Must be text", "必须是文本"),
    "string_too_long": ("too_long", "Must have at most {max_length} characters", "最多 {max_length} 个字符"),
    "string_too_short": (
        "too_short",
        "Must have at least {min_length} characters",
        "至少 {min_length} 个字符",
    ),
    "string_pattern_mismatch": ("format", "Must match {pattern}", "格式必须符合 {pattern}"),
    "too_long": ("too_long", "Must have at most {max_length} items", "最多 {max_length} 项"),
    "too_short": ("too_short", "Must have at least {min_length} items", "至少 {min_length} 项"),
    "int_type": ("type", "Must be an integer", "必须是整数"),
    "int_parsing": ("type", "Must be an integer", "必须是整数"),
    "int_from_float": ("type", "Must be an integer", "必须是整数"),
    "int_parsing_size": ("range", "Is too large", "数值过大"),
    "finite_number": ("range", "Must be a finite number", "必须是有限的数"),
    "float_parsing": ("type", "Must be a number", "必须是数字"),
    "multiple_of": ("range", "Must be a multiple of {multiple_of}", "必须是 {multiple_of} 的倍数"),
    "none_required": ("type", "Must be null", "必须为 null"),
    "union_tag_not_found": ("required", "Must name its {discriminator}", "必须指定 {discriminator}"),
    "union_tag_invalid": (
        "choice",
        "{discriminator} must be one of {expected_tags}",
        "{discriminator} 必须是 {expected_tags} 之一",
    ),
    "float_type": ("type", "Must be a number", "必须是数字"),
    "bool_type": ("type", "Must be true or false", "必须是 true 或 false"),
    "bool_parsing": ("type", "Must be true or false", "必须是 true 或 false"),
    "list_type": ("type", "Must be a list", "必须是列表"),
    "dict_type": ("type", "Must be an object", "必须是对象"),
    "model_type": ("type", "Must be an object", "必须是对象"),
    "model_attributes_type": ("type", "Must be an object", "必须是对象"),
    "literal_error": ("choice", "Must be one of {expected}", "必须是以下之一：{expected}"),
    "enum": ("choice", "Must be one of {expected}", "必须是以下之一：{expected}"),
    "greater_than_equal": ("range", "Must be at least {ge}", "不得小于 {ge}"),
    "less_than_equal": ("range", "Must be at most {le}", "不得大于 {le}"),
    "greater_than": ("range", "Must be greater than {gt}", "必须大于 {gt}"),
    "less_than": ("range", "Must be less than {lt}", "必须小于 {lt}"),
    "timestamp_format": (
        "format",
        "Must be an RFC 3339 time with an offset, such as 2026-10-01T08:00:00Z",
        "必须是带时区的 RFC 3339 时间，例如 2026-10-01T08:00:00Z",
    ),
    "timestamp_range": ("range", "Must lie between the years 1000 and 9000", "年份必须在 1000 至 9000 之间"),
    "date_format": ("format", "Must be a date as YYYY-MM-DD", "必须是 YYYY-MM-DD 格式的日期"),
    **dict.fromkeys(
        ("date_from_datetime_parsing", "date_parsing"),
        ("format", "Must be a day of the calendar as YYYY-MM-DD", "必须是日历上存在的日期，格式为 YYYY-MM-DD"),
    ),
    **dict.fromkeys(
        ("datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"),
        ("format", "Must be a time of the calendar and the clock", "必须是有效的日期和时间"),
    ),
    "date_range": ("range", "Must lie between the years 1000 and 9000", "年份必须在 1000 至 9000 之间"),
    "decimal_format": (
        "format",
        'Must be a decimal string such as "1999.00"',
        '必须是十进制字符串，例如 "1999.00"',
    ),
    "currency_unknown": (
        "choice",
        "Must be an ISO 4217 currency code such as CNY",
        "必须是 ISO 4217 货币代码，例如 CNY",
    ),
    "money_negative": ("range", "Must not be negative", "不得为负数"),
    "id_format": ("format", "Must be an id of the form {prefix}_…", "必须是 {prefix}_… 形式的标识"),
    "text_nul": ("text", "Must not contain the NUL character", "不得包含 NUL 字符"),
    "text_surrogate": ("text", "Must be valid Unicode without lone surrogates", "必须是有效的 Unicode 文本"),
    "json_invalid": ("json", "Is not valid JSON", "不是有效的 JSON"),
}


def message(kind: str, **values: object) -> Text:
    """The sentence for a kind of validation error."""
    _code, english, chinese = _MESSAGES[kind]
    return Text(english.format_map(values), chinese.format_map(values))


def describe(detail: Mapping[str, Any]) -> tuple[str, Text]:
    """Our code and sentence for one of pydantic's error details.

    A validator of a feature raises `PydanticCustomError(code, english, {"zh": chinese})`.
    """
    kind, values = detail["type"], detail.get("ctx") or {}
    if kind in ("too_long", "too_short") and isinstance(detail.get("input"), str):
        kind = f"string_{kind}"  # a bound added to a text type counts characters; pydantic calls them items
    known = _MESSAGES.get(kind)
    if known is not None:
        return known[0], Text(known[1].format_map(values), known[2].format_map(values))
    english = str(detail["msg"])
    return _code(kind), Text(english, str(values.get("zh") or f"输入无效：{english}"))


def _code(kind: str) -> str:
    """A feature's own code, or ours for the kinds of pydantic's that have no sentence here."""
    return "invalid" if kind in _PYDANTICS_OWN else kind
