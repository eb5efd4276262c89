"""Pages of what has a part of a text: what many rows have is found by walking the list, what few have by their grams.

Nobody knows beforehand how many have it. PostgreSQL's guess is off by orders of magnitude, as adjacent characters do not
come independently of one another, and each way is slow for what the other is for. So a page walks along the order of the
list, a little way first, and for a bounded number of rows where that was promising; if these do not fill it, all that the index
finds are read and sorted. What it finds by the thousand, as after an import of many others, is walked for once more, further.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    """Rows of which so many must have it as would fill a quarter of the page by `walked`; else nobody walks."""
    often: int = 5_000
    """Rows that are still read and sorted at once; of more the page is looked for among twelve times as many as `walked`."""


_FURTHER: Final = 12


async def fetch_found(
    session: Session, statement: Select[Row], request: PageRequest, cursors: Cursors, search: Search
) -> Page[Row]:
    """As `fetch_page`, of those of the statement's rows for which the condition holds."""
    after = None if request.cursor is None else cursors.read(request.sort, request.cursor)
    wanted = request.limit + 1
    found: Sequence[sa.Row[Any]] = ()
    if await _is_promising(session, statement, request.sort, after, search, wanted):
        found = await _walked(session, statement, request.sort, after, search, wanted)
    if len(found) < wanted:
        by_grams = _by_grams(statement, request.sort, after, search)
        found, are_all = await _first_of(session, statement, request.sort, by_grams, search.often, wanted)
        if not are_all:
            further = replace(search, walked=search.walked * _FURTHER)
            found = await _walked(session, statement, request.sort, after, further, wanted)
            if len(found) < wanted:
                in_order = _in_order(by_grams.subquery("found"), request.sort).limit(wanted)
                found = (await session.execute(_rows(statement, in_order, request.sort))).all()
    return page_of(found, request, cursors)


async def _first_of(
    session: Session, statement: Select[Row], sort: Sort, by_grams: Select[Any], often: int, wanted: int
) -> tuple[Sequence[sa.Row[Any]], bool]:
    """The first of what the index finds, and whether that was no more than `often`: else there may be others before them."""
    some = by_grams.limit(often + 1).cte("some").prefix_with("materialized", dialect="postgresql")
    count = sa.select(sa.func.count()).select_from(some).scalar_subquery()
    in_order = _in_order(some, sort).limit(wanted)
    found = (await session.execute(_rows(statement, in_order, sort).add_columns(count))).all()
    return found, not found or found[0][-1] <= often


async def _is_promising(
    session: Session,
    statement: Select[Row],
    sort: Sort,
    after: Sequence[SortValue] | None,
    search: Search,
    wanted: int,
) -> bool:
    """Whether a walk may fill the page, by what the first rows of it hold."""
    begun = replace(search, walked=search.glimpsed)
    near = _near(next(iter(walks(statement, sort, after))), sort, begun).subquery("near")
    held: int = (await session.execute(sa.select(sa.func.count()).select_from(near))).scalar_one()
    return 4 * held * search.walked >= wanted * search.glimpsed


async def _walked(
    session: Session,
    statement: Select[Row],
    sort: Sort,
    after: Sequence[SortValue] | None,
    search: Search,
    wanted: int,
) -> Sequence[sa.Row[Any]]:
    """The first of those for which it holds, as far as the walk goes; `wanted` of them, or it may have missed some."""
    found: list[sa.Row[Any]] = []
    ways = list(walks(statement, sort, after))
    for walk in ways:
        near = _near(walk, sort, search).limit(wanted - len(found))
        found += (await session.execute(_rows(statement, near, sort))).all()
        if len(found) == wanted or walk is ways[-1]:
            break
        if await _are_more(session, walk.with_only_columns(*sort_columns(sort)), search.walked):
            break  # what comes next stands behind rows that were not looked at
    return found


async def _are_more(session: Session, rows: Select[Any], number: int) -> bool:
    some = rows.limit(number + 1).subquery("some")
    counted: int = (await session.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()
    return counted > number


def _near(walk: Select[Any], sort: Sort, search: Search) -> Select[Any]:
    """The ids of those for which it holds among the next rows of a walk."""
    walked = (
        walk.with_only_columns(*sort_columns(sort), search.holds.label("holds")).limit(search.walked).subquery("walked")
    )
    return _in_order(walked, sort).where(walked.c.holds)


def _by_grams(statement: Select[Any], sort: Sort, after: Sequence[SortValue] | None, search: Search) -> Select[Any]:
    """What all for which it holds are sorted by, in no order."""
    found = statement.with_only_columns(*sort_columns(sort)).where(search.by_grams)
    if after is not None:
        found = found.where(after_values(sort, after))
    # OFFSET keeps PostgreSQL from seeing that some of them are enough: it would walk the list for them.
    return found.offset(0)


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
