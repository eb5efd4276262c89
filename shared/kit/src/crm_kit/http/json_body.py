"""Strict JSON for request bodies: what PostgreSQL and every JSON client can hold, and nothing else.

Sources: RFC 8259 (grammar, UTF-8, no byte order mark) and RFC 7493, I-JSON (no duplicate names, no lone
surrogates, numbers that interoperate). Beyond them: NUL is refused, since PostgreSQL text cannot hold it.

    JsonError
    ├── MalformedJson (400)              the body is not JSON
    │   ├── NotUtf8                      bytes that are no UTF-8, or a byte order mark
    │   ├── NonFiniteLiteral             NaN, Infinity, -Infinity
    │   └── InvalidSyntax                anything else that the grammar refuses
    └── UnacceptableJson (422)           well-formed, but not accepted here
        ├── TooDeep · ArrayTooLong · TooManyValues
        ├── IntegerOutOfRange · NumberOutOfRange
        ├── ForbiddenCharacter           NUL, in a string or a name
        ├── LoneSurrogate                an unpaired half of a UTF-16 pair
        └── DuplicateKey

orjson decides the normal case; byte counts and one walk without bookkeeping prove that the result is within
the bounds. Only a body for which that proof fails is read again, slower, to say what is wrong where.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import ClassVar, Final, NoReturn

import orjson

MAX_DEPTH: Final = 64
"""Arrays and objects within one another; the outermost counts as one."""
MAX_ARRAY_ITEMS: Final = 10_000
MAX_VALUES: Final = 100_000
"""All values of a body together: scalars, arrays and objects."""
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

_Path = tuple["_Path", str | int] | None


class JsonError(ValueError):
    """A body that is refused. `pointer` (RFC 6901) is the offending value; "" stands for the whole body."""

    status: ClassVar[int]
    code: ClassVar[str]

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class MalformedJson(JsonError):
    """The body is not JSON."""

    status = 400
    code = "malformed_json"


class NotUtf8(MalformedJson):
    """The body is not UTF-8, or starts with a byte order mark."""

    code = "not_utf8"


class NonFiniteLiteral(MalformedJson):
    """`NaN`, `Infinity` and `-Infinity` are JavaScript, not JSON."""

    code = "non_finite_number"


class InvalidSyntax(MalformedJson):
    """The grammar of RFC 8259 refuses the body; the detail names line and column."""

    code = "invalid_syntax"


class UnacceptableJson(JsonError):
    """Well-formed JSON that is not accepted here."""

    status = 422
    code = "unacceptable_json"


class TooDeep(UnacceptableJson):
    """More than `MAX_DEPTH` arrays and objects within one another."""

    code = "too_deep"


class ArrayTooLong(UnacceptableJson):
    """More than `MAX_ARRAY_ITEMS` items in one array."""

    code = "array_too_long"


class TooManyValues(UnacceptableJson):
    """More than `MAX_VALUES` values in the body."""

    code = "too_many_values"


class IntegerOutOfRange(UnacceptableJson):
    """An integer that does not fit into 64 bits with sign."""

    code = "integer_out_of_range"


class NumberOutOfRange(UnacceptableJson):
    """A number with fraction or exponent that a double can only hold as infinity."""

    code = "number_out_of_range"


class ForbiddenCharacter(UnacceptableJson):
    """NUL (U+0000), which PostgreSQL text cannot hold."""

    code = "forbidden_character"


class LoneSurrogate(UnacceptableJson):
    """An unpaired surrogate escape: not a character, and not encodable as UTF-8."""

    code = "lone_surrogate"


class DuplicateKey(UnacceptableJson):
    """One object names a member twice; readers disagree which one counts."""

    code = "duplicate_key"


def parse_json(body: bytes) -> object:
    """The value of a JSON body, within the bounds above. Raises a `JsonError`, never anything else."""
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        _diagnose(body)
        detail = f"The body is not valid JSON: {error}."
        raise InvalidSyntax(detail) from None
    if not _proved_acceptable(body, value):
        # Not proved is not refused: a string may spell out \\u0000, or a long number may be a float.
        return _diagnose(body)
    return value


def _proved_acceptable(body: bytes, value: object) -> bool:
    """Whether the body is certainly acceptable. May say no to an acceptable body, never the reverse."""
    if rb"\u0000" in body:
        return False
    names = _count_names(value)
    outside = _outside_strings(body)
    # Each member has one colon: fewer names than colons means that a later duplicate replaced an earlier one.
    # orjson turns integers over 2^64 into floats, so their digits are looked at.
    return outside.count(b":") == names and _LONG_NUMBER.search(outside) is None


_LONG_NUMBER = re.compile(rb"[0-9]{19}")


def _count_names(root: object) -> int:
    """How many object members there are in all. Raises if a bound is exceeded."""
    names, values, depth = 0, 1, 0
    level: list[object] = [root]
    while level := [value for value in level if type(value) is dict or type(value) is list]:
        depth += 1
        children: list[object] = []
        for value in level:
            if isinstance(value, dict):
                names += len(value)
                children.extend(value.values())
            elif isinstance(value, list):
                if len(value) > MAX_ARRAY_ITEMS:
                    _check(root)
                children.extend(value)
        values += len(children)
        if values > MAX_VALUES:
            raise _too_many_values()
        if depth > MAX_DEPTH:
            _check(root)
        level = children
    return names


def _outside_strings(body: bytes) -> bytes:
    """The body without its strings. Without escaped backslashes, `\\"` is certainly an escaped quote."""
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    return b"".join(body.split(b'"')[::2])


class _LongInteger(str):
    """An integer literal outside int64, kept as text: converting a million digits takes quadratic time."""

    __slots__ = ()


class _Members(list[tuple[str, object]]):
    """An object's members in order, duplicates included."""


def _diagnose(body: bytes) -> object:
    """Raises the error that is in the body, with its position; returns the value if there is none."""
    text = _decode(body)
    if _nested_too_deeply(body):
        raise TooDeep(f"The body has more than {MAX_DEPTH} arrays and objects within one another.")
    try:
        tree = json.loads(
            text,
            parse_int=_integer,
            parse_constant=_refuse_literal,
            object_pairs_hook=_Members,
        )
    except json.JSONDecodeError as error:
        detail = f"The body is not valid JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        raise InvalidSyntax(detail) from None
    _check(tree)
    return _without_members(tree)


def _decode(body: bytes) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        raise NotUtf8("The body starts with a byte order mark; send plain UTF-8.")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8(f"The body is not UTF-8: byte {error.start} is not part of a character.") from None


def _nested_too_deeply(body: bytes) -> bool:
    """Whether brackets nest so deeply that a recursive reader is at risk, in malformed bodies too.

    Exact only within a factor of two: `_check` knows the rest, with its position.
    """
    brackets = _outside_strings(body).translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        unpaired = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(unpaired) > 0.9 * len(brackets):  # hardly anything pairs off: the loop below is quicker
            break
        brackets = unpaired
    depth = 0
    for byte in brackets:
        depth += 1 if byte in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
        if depth < 0:  # no reader comes further than this
            return False
    return False


_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def _integer(literal: str) -> int | _LongInteger:
    if len(literal) > 20:
        return _LongInteger(literal)
    value = int(literal)
    return value if INT64_MIN <= value <= INT64_MAX else _LongInteger(literal)


def _refuse_literal(literal: str) -> NoReturn:
    raise NonFiniteLiteral(f"{literal} is not JSON; leave the member out or send null.")


def _check(root: object) -> None:
    """Raises the first error in document order."""
    pending: list[tuple[_Path, int, object]] = [(None, 0, root)]
    values = 0
    while pending:
        path, depth, value = pending.pop()
        values += 1
        if values > MAX_VALUES:
            raise _too_many_values()
        if isinstance(value, (list, dict)):
            if depth == MAX_DEPTH:
                raise TooDeep(f"More than {MAX_DEPTH} arrays and objects within one another.", _pointer(path))
            members = _children(value, path)
            pending.extend(((path, name), depth + 1, child) for name, child in reversed(members))
        else:
            _check_scalar(value, path)


def _too_many_values() -> TooManyValues:
    return TooManyValues(f"The body holds more than {MAX_VALUES:,} values; send it in parts.")


def _children(value: list[object] | dict[str, object], path: _Path) -> Sequence[tuple[str | int, object]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, _Members):
        return _checked_members(value, path)
    if len(value) > MAX_ARRAY_ITEMS:
        detail = f"The array has {len(value):,} items; {MAX_ARRAY_ITEMS:,} are accepted."
        raise ArrayTooLong(detail, _pointer(path))
    return list(enumerate(value))


def _checked_members(members: _Members, path: _Path) -> Sequence[tuple[str | int, object]]:
    seen: set[str] = set()
    for name, _ in members:
        _check_text(name, path, "A member's name")
        if name in seen:
            raise DuplicateKey("The object has two members of this name; send one.", _pointer((path, name)))
        seen.add(name)
    return members


def _check_scalar(value: object, path: _Path) -> None:
    if isinstance(value, _LongInteger):
        detail = "The integer is outside the range of 64 bits; send large numbers as strings."
        raise IntegerOutOfRange(detail, _pointer(path))
    if isinstance(value, str):
        _check_text(value, path, "The text")
    elif isinstance(value, float) and not math.isfinite(value):
        raise NumberOutOfRange("The number is too large for a double.", _pointer(path))


def _check_text(text: str, path: _Path, what: str) -> None:
    if "\0" in text:
        raise ForbiddenCharacter(f"{what} contains the NUL character (U+0000).", _pointer(path))
    if not text.isascii() and _SURROGATE.search(text):
        raise LoneSurrogate(f"{what} contains half of a surrogate pair (U+D800 to U+DFFF).", _pointer(path))


_SURROGATE = re.compile("[\ud800-\udfff]")


def _without_members(value: object) -> object:
    """The tree with plain dictionaries. Recursion is safe: the tree is at most `MAX_DEPTH` deep by now."""
    if isinstance(value, _Members):
        return {name: _without_members(child) for name, child in value}
    if isinstance(value, list):
        return [_without_members(child) for child in value]
    return value


def _pointer(path: _Path) -> str:
    tokens: list[str] = []
    while path is not None:
        path, token = path
        tokens.append(str(token).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{token}" for token in reversed(tokens))
