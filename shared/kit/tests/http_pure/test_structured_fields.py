"""The structured fields that we read and write (RFC 9651)."""

import pytest
from crm_kit.http.structured_fields import (
    InvalidIdempotencyKey,
    parse_idempotency_key,
    rate_limit_policy,
    string_item,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"8e03978e-40d5"', "8e03978e-40d5"),
        ("8e03978e-40d5", "8e03978e-40d5"),
        ("  abc ", "abc"),
        ('"a b"', "a b"),
        (r'"a\"b\\c"', r"a\"b\c".replace('\\"', '"')),
        ('"abc";v=1;x;y="a;b";z=?1', "abc"),
        ("a" * 255, "a" * 255),
        ("order:42/retry=1;x", "order:42/retry=1;x"),
    ],
)
def test_keys_are_read_quoted_or_bare(header: str, key: str) -> None:
    assert parse_idempotency_key(header) == key


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        '""',
        "a" * 256,
        f'"{"a" * 256}"',
        "a b",
        "a,b",
        '"a", "b"',
        'a"b',
        '"a',
        '"a"b',
        r'"a\b"',
        "é",
        '"é"',
        "a\tb",
        '"a\x7f"',
        '"abc";',
        '"abc";V=1',
        '"a"\x00',
    ],
)
def test_anything_else_is_no_key(header: str) -> None:
    with pytest.raises(InvalidIdempotencyKey):
        parse_idempotency_key(header)


@given(key=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255))
def test_any_printable_key_survives_quoting(key: str) -> None:
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')

    assert parse_idempotency_key(f'"{quoted}"') == key


def test_rate_limits_are_written_as_the_draft_has_them() -> None:
    assert rate_limit_policy("default", quota=100, window_seconds=60) == '"default";q=100;w=60'
    assert string_item('a"b\\') == '"a\\"b\\\\"'


def test_what_a_field_cannot_hold_is_a_programming_error() -> None:
    with pytest.raises(ValueError):
        rate_limit_policy("默认", quota=1, window_seconds=1)
