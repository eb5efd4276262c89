"""All records that a condition holds of, page after page in transactions of their own: for what takes longer than a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from crm_contracts.types import Contract
from pydantic import Field
from sqlalchemy import ARRAY, Select, Text, any_, func, literal, select

from crm_kit.conditions import InvalidCondition, comparisons_in, compile_condition, named_fields, parse
from crm_kit.db.bounded import TookTooLong, guessed_rows, time_limit
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.http import pagination
from crm_kit.resources import access
from crm_kit.resources.listing import condition_problem, left_in, page_problem, sorted_by
from crm_kit.resources.resource import Resource
from crm_kit.rights import Action


@dataclass(frozen=True, slots=True)
class Walked:
    """`rows`: those that may be treated so, of `count` that were come by. `place`: where the last one stands, as JSON."""

    rows: Sequence[Any]
    count: int
    place: list[Any] | None


class Size(Contract):
    """How many records a condition holds of: exactly so many, so many and more, or what the database guesses."""

    count: Annotated[int, Field(ge=0)]
    kind: Literal["exact", "at_least", "estimate"]


@dataclass(frozen=True, slots=True)
class Walk:
    """The records that a list would show the caller, in its order. Compiled for one session."""

    resource: Resource[Any, Any, Any]
    statement: Select[Any]
    sort: pagination.Sort

    @classmethod
    async def of(
        cls,
        session: ReadSession,
        resource: Resource[Any, Any, Any],
        where: Mapping[str, object] | None,
        sort: Sequence[str],
        now: datetime,
    ) -> Walk:
        """By id where no sort is given: a record that changes meanwhile keeps its place. `now`: what the condition counts back
        from, the same for all pages. Raises ValidationFailed, and Forbidden for a field of which the caller reads no record.
        """
        fields = await resource.fields_in(session, [*named_fields(where), *sorted_by(sort)])
        try:
            condition = None if where is None else parse(where, fields, "/where")
            keys = pagination.parse_sort(sort or ["id"], fields)
        except InvalidCondition as error:
            raise condition_problem(error) from error
        except pagination.PaginationError as error:
            raise page_problem(error, "/") from error
        tested = [*(test.field for test in comparisons_in(condition)), *(key.field for key in keys)]
        statement = select(resource.row).where(await access.reached(session, resource, tested))
        if condition is not None:
            statement = statement.where(compile_condition(condition, now=now))
        return cls(resource, left_in(resource, statement, condition), keys)

    async def count(self, session: ReadSession) -> int:
        await session.plan_anew()
        return int(await session.scalar(select(func.count()).select_from(self.statement.subquery())))

    async def size(
        self, session: WriteSession, *, most: int = 10_000, within: timedelta = timedelta(seconds=1)
    ) -> Size:
        """How many records there are, without taking long: counted up to `most`, and guessed where that takes longer than `within`."""
        some = self.statement.with_only_columns(columns(self.resource.row).id).limit(most + 1)
        try:
            async with time_limit(session, within):
                await session.plan_anew()
                count = int(await session.scalar(select(func.count()).select_from(some.subquery())))
        except TookTooLong:
            return Size(count=await guessed_rows(session, self.statement), kind="estimate")
        return Size(count=most, kind="at_least") if count > most else Size(count=count, kind="exact")

    async def among(self, session: ReadSession, ids: Sequence[str]) -> frozenset[str]:
        """Those of the records that it comes by now."""
        c = columns(self.resource.row)
        wanted = c.id == any_(literal(list(ids), ARRAY(Text())))
        return frozenset(await session.scalars(self.statement.with_only_columns(c.id).where(wanted)))

    async def page(
        self, session: ReadSession, place: Sequence[Any] | None, limit: int, action: Action = "read"
    ) -> Walked:
        """The next rows behind a place, fewer than `limit` at the end, left out those that the action may not be done to."""
        await session.plan_anew()  # how much a condition leaves differs from one to the next
        after = None if place is None else pagination.read_place(self.sort, place)
        found = await pagination.fetch_rows(session, self.statement, self.sort, after, limit)
        allowed = await access.look_at(session, self.resource, [row[0].id for row in found], action)
        last = pagination.spelled_place(pagination.place_of(found[-1], self.sort)) if found else None
        return Walked([row[0] for row in found if row[0].id in allowed], len(found), last)
