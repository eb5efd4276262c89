"""Where somebody stands in a tenant's events: one cursor, however they are told."""

import re
from dataclasses import dataclass, replace
from typing import Final

from crm_kit.db.session import ReadSession

from gateway.features.webhook_journal import repository
from gateway.features.webhook_journal.errors import CursorGone, InvalidEventCursor

BEGINNING: Final = "beginning"
SNAPSHOT: Final = "snapshot"
_POSITION: Final = re.compile(r"[0-9]{1,18}")
_WITHIN: Final = re.compile(r"snapshot\.([0-9]{1,18})\.([a-z-]{0,60})\.([\x21-\x7e]{0,1500})")


@dataclass(frozen=True, slots=True)
class Place:
    """Behind `position` in the journal. `snapshot`: in the present state, which is told before, in the list of which resource
    at which of its cursors (`<resource>.<cursor>`; `.`: at its beginning).
    """

    position: int
    snapshot: str | None = None

    def __str__(self) -> str:
        return str(self.position) if self.snapshot is None else f"{SNAPSHOT}.{self.position}.{self.snapshot}"

    @property
    def resource(self) -> str:
        return (self.snapshot or ".").partition(".")[0]

    @property
    def page(self) -> str:
        return (self.snapshot or ".").partition(".")[2]

    def within(self, resource: str, page: str) -> "Place":
        return replace(self, snapshot=f"{resource}.{page}")

    def behind_snapshot(self) -> "Place":
        return replace(self, snapshot=None)


def parse_cursor(text: str) -> Place:
    """Raises InvalidEventCursor."""
    if _POSITION.fullmatch(text):
        return Place(int(text))
    if found := _WITHIN.fullmatch(text):
        return Place(int(found[1]), f"{found[2]}.{found[3]}")
    raise InvalidEventCursor


async def begin_at(session: ReadSession, after: str | None) -> Place:
    """What a client names as its place; without one now. Raises InvalidEventCursor, CursorGone."""
    head = await repository.head(session)
    if after is None:
        return Place(head.last)
    if after == BEGINNING:
        return Place(head.forgotten)
    if after == SNAPSHOT:
        return Place(head.last, ".")
    place = parse_cursor(after)
    if place.position > head.last:
        raise InvalidEventCursor
    if place.position < head.forgotten:
        raise CursorGone(members={"earliest": str(head.forgotten)})
    return place
