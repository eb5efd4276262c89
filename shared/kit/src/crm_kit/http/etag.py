"""Entity tags and the preconditions If-Match and If-None-Match (RFC 9110, sections 8.8.3, 13.1.1 and 13.1.2).

An entity's tag is its version: `"7"`. It is strong: two representations of one version are byte for byte
equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_HEADER_LENGTH: Final = 8_192

_TAG = re.compile(r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"')
_SEPARATOR = re.compile(r"[ \t]*,[ \t,]*")


class InvalidEntityTags(ValueError):
    """An If-Match or If-None-Match header that RFC 9110 refuses: answer 400."""


@dataclass(frozen=True, slots=True)
class EntityTag:
    """One tag as a client sends it; `opaque` is without quotes."""

    opaque: str
    weak: bool = False


@dataclass(frozen=True, slots=True)
class EntityTags:
    """The value of a precondition header: a list of tags, or `*` for any existing representation."""

    tags: tuple[EntityTag, ...] = ()
    any: bool = False

    def matches_strongly(self, version: int | None) -> bool:
        """Strong comparison, for If-Match: a weak tag never matches. `version` None: the thing does not exist."""
        if version is None:
            return False
        return self.any or any(not tag.weak and tag.opaque == str(version) for tag in self.tags)

    def matches_weakly(self, version: int | None) -> bool:
        """Weak comparison, for If-None-Match: proxies that compress weaken our tags, and a 304 is still right."""
        if version is None:
            return False
        return self.any or any(tag.opaque == str(version) for tag in self.tags)


def entity_tag(version: int) -> str:
    """The ETag header of a representation, quotes included."""
    return f'"{version}"'


def parse_entity_tags(header: str) -> EntityTags:
    """The tags of an If-Match or If-None-Match header. Raises InvalidEntityTags."""
    if len(header) > MAX_HEADER_LENGTH:
        raise InvalidEntityTags(f"The list of entity tags is longer than {MAX_HEADER_LENGTH:,} characters.")
    header = header.strip(" \t")
    if header == "*":
        return EntityTags(any=True)
    tags: list[EntityTag] = []
    position = 0
    while match := _TAG.match(header, position):
        tags.append(EntityTag(match["opaque"], weak=match["weak"] is not None))
        position = match.end()
        if position == len(header):
            return EntityTags(tuple(tags))
        separator = _SEPARATOR.match(header, position)
        if separator is None:
            break
        position = separator.end()
    raise InvalidEntityTags(
        'An entity tag is a version in double quotes, such as "7"; several are separated by commas.'
    )


def if_match(header: str | None, version: int | None) -> bool:
    """Whether a change may go on; if not, answer 412. No header: always. Raises InvalidEntityTags."""
    return header is None or parse_entity_tags(header).matches_strongly(version)


def if_none_match(header: str | None, version: int | None) -> bool:
    """Whether to answer in full; if not, 304 to a GET, 412 to anything else. Raises InvalidEntityTags."""
    return header is None or not parse_entity_tags(header).matches_weakly(version)
