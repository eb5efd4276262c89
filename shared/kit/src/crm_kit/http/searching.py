"""Pages of what has a part of a text: what many rows have is found by walking the list, what few have by their grams.

Nobody knows beforehand how many have it. PostgreSQL's guess is off by orders of magnitude, as adjacent characters do not
come independently of one another, and each way is slow for what the other is for. So a page walks along the order of the
list, a little way first, and for a bounded number of rows where that was promising; if these do not fill it, all that the index
finds are read and sorted. What it finds by the thousand, as after an import of many others, is walked for once more, further.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from crm_kit.http.pagination import (
    Cursors,
    Page,
    PageRequest,
    Row,
    Session,
    Sort,
    SortValue,
    after_values,
    apply_keyset,
    ordered,
    page_of,
    sort_columns,
    walks,
)


@dataclass(frozen=True, slots=True)
class Search:
    """A condition twice, with the same meaning: as rows are looked at, and as an index on grams finds them."""

    holds: ColumnElement[bool]
    by_grams: ColumnElement[bool]
    walked: int = 10_000
    """Rows. What more than one in two hundred has fills a page of 50 by then; others are some thousands of a million."""
    glimpsed: int = 2_000
    """Rows of which so many must have it as would fill half of the page by `walked`; else nobody walks."""
    often: int = 5_000
    """Rows that are still read and sorted at once; of more the page is looked for among twelve times as many as `walked`."""


_FURTHER: Final = 12


async def fetch_found(
    session: Session, statement: Select[Row], request: PageRequest, cursors: Cursors, search: Search
) -> Page[Row]:
    """As `fetch_page`, of those of the statement's rows for which the condition holds."""
    after = None if request.cursor is None else cursors.read(request.sort, request.cursor)
    finder = _Finder(session, statement, request.sort, after, search, request.limit + 1)
    return page_of(await finder.find(), request, cursors)


@dataclass(frozen=True, slots=True)
class _Finder:
    """`after`: the place of the cursor. `wanted`: rows, one more than the page holds."""

    session: Session
    statement: Select[Any]
    sort: Sort
    after: Sequence[SortValue] | None
    search: Search
    wanted: int

    async def find(self) -> Sequence[sa.Row[Any]]:
        """The first of all for which it holds, as many as are wanted."""
        found: Sequence[sa.Row[Any]] = ()
        if await self._is_promising():
            found = await self._walked(self.search.walked)
        if len(found) == self.wanted:
            return found
        found, are_all = await self._first_of_some()
        if are_all:
            return found
        found = await self._walked(self.search.walked * _FURTHER)
        return found if len(found) == self.wanted else await self._rows(self._by_grams().subquery("found"))

    async def _is_promising(self) -> bool:
        """Whether a walk may fill the page, by what the first rows of it hold."""
        near = self._near(next(iter(self._ways())), self.search.glimpsed).order_by(None).subquery("near")
        held: int = (await self.session.execute(sa.select(sa.func.count()).select_from(near))).scalar_one()
        return 2 * held * self.search.walked >= self.wanted * self.search.glimpsed

    async def _walked(self, rows: int) -> Sequence[sa.Row[Any]]:
        """The first of those for which it holds, as far as the walk goes; as many as are wanted, or it may have missed some."""
        found: list[sa.Row[Any]] = []
        ways = list(self._ways())
        for walk in ways:
            near = self._near(walk, rows).limit(self.wanted - len(found))
            found += (await self.session.execute(_rows(self.statement, near, self.sort))).all()
            if len(found) == self.wanted or walk is ways[-1]:
                break
            if await _are_more(self.session, walk.with_only_columns(*sort_columns(self.sort)), rows):
                break  # what comes next stands behind rows that were not looked at
        return found

    def _ways(self) -> Iterable[Select[Any]]:
        return walks(self.statement, self.sort, self.after)

    def _near(self, walk: Select[Any], rows: int) -> Select[Any]:
        """The ids of those for which it holds among the next rows of a walk."""
        holds = self.search.holds.label("holds")
        walked = walk.with_only_columns(*sort_columns(self.sort), holds).limit(rows).subquery("walked")
        return _in_order(walked, self.sort).where(walked.c.holds)

    async def _first_of_some(self) -> tuple[Sequence[sa.Row[Any]], bool]:
        """The first of what the index finds, and whether that was no more than `often`: else others may stand before them."""
        some = (
            self._by_grams().limit(self.search.often + 1).cte("some").prefix_with("materialized", dialect="postgresql")
        )
        count = sa.select(sa.func.count()).select_from(some).scalar_subquery()
        found = await self._rows(some, count)
        return found, not found or found[0][-1] <= self.search.often

    def _by_grams(self) -> Select[Any]:
        """What all for which it holds are sorted by, in no order."""
        found = self.statement.with_only_columns(*sort_columns(self.sort)).where(self.search.by_grams)
        if self.after is not None:
            found = found.where(after_values(self.sort, self.after))
        # OFFSET keeps PostgreSQL from seeing that some of them are enough: it would walk the list for them.
        return found.offset(0)

    async def _rows(self, found: sa.Subquery | sa.CTE, *more: ColumnElement[Any]) -> Sequence[sa.Row[Any]]:
        """The first of those that were found."""
        in_order = _in_order(found, self.sort).limit(self.wanted)
        return (await self.session.execute(_rows(self.statement, in_order, self.sort).add_columns(*more))).all()


async def _are_more(session: Session, rows: Select[Any], number: int) -> bool:
    some = rows.limit(number + 1).subquery("some")
    counted: int = (await session.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()
    return counted > number


def _in_order(rows: sa.Subquery | sa.CTE, sort: Sort) -> Select[Any]:
    columns = list(rows.c)[: len(sort)]
    ids = next(column for key, column in zip(sort, columns, strict=True) if key.field.name == "id")
    return sa.select(ids).order_by(*map(ordered, sort, columns))


def _rows(statement: Select[Any], ids: Select[Any], sort: Sort) -> Select[Any]:
    """The rows themselves: only of the page, since those that are sorted and left out need not be read whole."""
    column = next(
        sort_column for key, sort_column in zip(sort, sort_columns(sort), strict=True) if key.field.name == "id"
    )
    among = column.element == sa.any_(sa.func.array(ids.scalar_subquery()))
    return apply_keyset(statement.add_columns(*sort_columns(sort)).where(among), sort)
