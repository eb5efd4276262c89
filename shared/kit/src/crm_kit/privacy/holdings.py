"""What a service holds of persons: declared, so that one walk finds all of it for an export, and another takes it away."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement

from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.outbox import EntityEvents


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Entities of a person, by the column `member` that refers to them.

    `strip`: takes out of a row whatever tells of the person, for a record that has to stay; without it the record goes.
    `unstripped`: which rows still tell something, where `strip` leaves the reference.
    `remove`: in place of the deletion alone, for a record with which something else goes.
    `shown`: whether an export has them; False for what tells of other persons.
    """

    events: EntityEvents[Any, Any]
    member: str
    strip: Callable[[Any], None] | None = None
    unstripped: ColumnElement[bool] | None = None
    remove: Callable[[WriteSession, Any], Awaitable[None]] | None = None
    shown: bool = True

    @property
    def kind(self) -> str:
        return self.events.topic.entity


Taken = Mapping[str, Mapping[str, int]]
"""By subject, of how many of what kind something was taken away."""


async def _nothing_more(_session: WriteSession, _subject_ids: Sequence[str]) -> Taken:
    return {}


async def _no_copies(_session: ReadSession, _subject_ids: Sequence[str]) -> bool:
    return False


async def _nothing_to_show(_session: ReadSession, _subject_ids: Sequence[str]) -> AsyncIterator[tuple[str, Any]]:
    return
    yield


@dataclass(frozen=True, kw_only=True)
class PersonalData:
    """All that a service holds of persons.

    `show_more`: what is no entity by itself, as (kind, JSON), for an export.

    `erase_more`: takes away what is no entity of some persons, and says of whom how many of what kind; it may be called again.
    None: not yet.
    `has_copies`: whether its copies of what others own still tell of them; they go by the owner's events.
    """

    holdings: tuple[Holding, ...] = ()
    show_more: Callable[[ReadSession, Sequence[str]], AsyncIterator[tuple[str, Any]]] = _nothing_to_show
    erase_more: Callable[[WriteSession, Sequence[str]], Awaitable[Taken | None]] = _nothing_more
    has_copies: Callable[[ReadSession, Sequence[str]], Awaitable[bool]] = _no_copies
