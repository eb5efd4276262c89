"""Entity tags and preconditions by RFC 9110."""

from contextlib import suppress

import pytest
from crm_kit.http.etag import (
    EntityTag,
    InvalidEntityTags,
    entity_tag,
    if_match,
    if_none_match,
    parse_entity_tags,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ('"7"', [EntityTag("7")]),
        ('W/"7"', [EntityTag("7", weak=True)]),
        ('""', [EntityTag("")]),
        ('  "7" ,\t"8",W/"9" ', [EntityTag("7"), EntityTag("8"), EntityTag("9", weak=True)]),
        ('"7",,"8"', [EntityTag("7"), EntityTag("8")]),
        ('"a,b","c"', [EntityTag("a,b"), EntityTag("c")]),
    ],
)
def test_lists_of_tags_are_read(header: str, tags: list[EntityTag]) -> None:
    assert parse_entity_tags(header).tags == tuple(tags)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "7",
        '"7',
        '7"',
        "'7'",
        'w/"7"',
        'W/ "7"',
        '"7" "8"',
        '"7";"8"',
        '*, "7"',
        '"a b"',
        '"7"\n',
        ",",
        '"7",' * 3_000,
    ],
)
def test_anything_else_is_malformed(header: str) -> None:
    with pytest.raises(InvalidEntityTags):
        if_match(header, 7)
    with pytest.raises(InvalidEntityTags):
        if_none_match(header, 7)


@pytest.mark.parametrize(
    ("header", "version", "goes_on"),
    [
        (None, 7, True),
        ('"7"', 7, True),
        ('"6"', 7, False),
        ('"6", "7"', 7, True),
        ('W/"7"', 7, False),
        ('"07"', 7, False),
        ("*", 7, True),
        ("*", None, False),
        ('"7"', None, False),
    ],
)
def test_if_match_lets_only_the_current_version_be_changed(
    header: str | None, version: int | None, goes_on: bool
) -> None:
    assert if_match(header, version) is goes_on


@pytest.mark.parametrize(
    ("header", "version", "in_full"),
    [
        (None, 7, True),
        ('"7"', 7, False),
        ('W/"7"', 7, False),
        ('"6"', 7, True),
        ("*", 7, False),
        ("*", None, True),
    ],
)
def test_if_none_match_spares_what_the_client_has(header: str | None, version: int | None, in_full: bool) -> None:
    assert if_none_match(header, version) is in_full


@given(version=st.integers(1, 2**63 - 1))
def test_our_own_tag_matches(version: int) -> None:
    assert if_match(entity_tag(version), version)
    assert not if_match(entity_tag(version), version + 1)
    assert not if_none_match(entity_tag(version), version)


@given(header=st.text(st.sampled_from('W/"7, *a\t'), max_size=12))
def test_no_header_breaks_it(header: str) -> None:
    with suppress(InvalidEntityTags):
        parse_entity_tags(header)
