"""Digests of a resource's records, period by period, by which another system finds where it differs (docs/guides/reconciliation.md).

A record is one line: the fields that were chosen, in their order, with tabs between. A period's digest is the SHA-256 of its
lines, sorted by their bytes, each with a line feed behind it: what `LC_ALL=C sort | sha256sum` says of a file of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from crm_kit.conditions import Field, FieldType
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.errors import Text, ValidationFailed
from crm_kit.resources import access
from crm_kit.resources.periods import Bucket, starts
from crm_kit.resources.resource import Resource

MAX_RECORDS: Final = 20_000
"""That are looked at for one answer."""

_MAX_BYTES: Final = 64 * 1024 * 1024
"""Of the lines of one answer."""

_ESCAPED: Final = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
_MISSING: Final = "\\N"
_MOMENT: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


class DigestTooLarge(ValidationFailed):
    """One period alone holds more than an answer looks at."""

    code = "digest_too_large"
    title = Text("A period holds too much for one digest", "一个时段的数据过多")
    advice = Text(
        "Ask for shorter periods, such as hour in place of day, or for fewer fields.",
        "请使用更短的时段（例如以 hour 代替 day），或减少字段。",
    )


@dataclass(frozen=True, slots=True)
class Digest:
    """`hash`: in hexadecimal."""

    start: datetime
    end: datetime
    count: int
    hash: str


class RecordDigest(NamedTuple):
    id: str
    external_id: str | None
    hash: str


@dataclass(frozen=True, slots=True)
class Digests:
    """Of the records that a list would show the caller which sorts and filters by the fields `fields`, `by` and that of the source:
    of which they may read all of these. Made by `digests_of`.
    """

    resource: Resource[Any, Any, Any]
    fields: Sequence[Field]
    by: Field
    is_shown: ColumnElement[bool]
    external_id: Field | None

    async def page(
        self, session: ReadSession, begin: datetime, end: datetime, bucket: Bucket, zone: ZoneInfo, limit: int
    ) -> tuple[list[Digest], datetime | None]:
        """Of the first so many periods from `begin` until before `end`, without those that hold nothing; and where to go on.

        What is looked at is bounded, whatever the caller sees of it. Raises DigestTooLarge.
        """
        first = await session.scalar(sa.select(sa.func.min(self._at)).where(self._at >= begin, self._at < end))
        if first is None:
            return [], None
        begins = list(islice(starts(first, end, bucket, zone), limit + 1))
        stop = begins[limit] if len(begins) > limit else end
        begins = begins[:limit]
        await session.plan_anew()
        rows = (await session.execute(self._grouped(begins, max(begin, begins[0]), stop))).all()
        if rows and rows[0].size > _MAX_BYTES:
            raise DigestTooLarge(Text("The lines are longer than 64 MB in all.", "数据行总长超过 64 MB。"))
        if sum(row.looked for row in rows) > MAX_RECORDS:  # the last period is not whole
            stop = begins[rows[-1].n - 1]
            if len(rows) == 1:
                raise DigestTooLarge(
                    Text(
                        f"The period from {stop.isoformat()} holds more than {MAX_RECORDS} records.",
                        f"自 {stop.isoformat()} 起的时段超过 {MAX_RECORDS} 条记录。",
                    )
                )
            rows = rows[:-1]
        found = [
            Digest(max(begins[row.n - 1], begin), begins[row.n] if row.n < len(begins) else stop, row.shown, row.hash)
            for row in rows
            if row.shown
        ]
        return found, stop if stop < end else None

    def records(self, begin: datetime, end: datetime) -> Select[tuple[str]]:
        """The ids of the records of a time, to be sorted and paged."""
        c = columns(self.resource.row)
        return sa.select(c.id).where(self._at >= begin, self._at < end, self.is_shown)

    async def of_records(self, session: ReadSession, ids: Sequence[str]) -> list[RecordDigest]:
        """Each by itself, as a period with it alone has it; in the order of `ids`."""
        c = columns(self.resource.row)
        external = _comparable(self.external_id) if self.external_id is not None else sa.null()
        wanted = c.id == sa.any_(sa.literal(list(ids), ARRAY(sa.Text())))
        rows = await session.execute(
            sa.select(c.id, external.label("external_id"), _hash(self._line + "\n").label("hash")).where(
                wanted, self.is_shown
            )
        )
        by_id = {row.id: RecordDigest(row.id, row.external_id, row.hash) for row in rows}
        return [by_id[each] for each in ids if each in by_id]

    @property
    def _at(self) -> ColumnElement[Any]:
        return _comparable(self.by)

    @property
    def _line(self) -> ColumnElement[str]:
        first, *rest = (canonical(field) for field in self.fields)
        line = first
        for each in rest:
            line = line + sa.literal("\t") + each
        return line

    def _grouped(self, begins: Sequence[datetime], begin: datetime, end: datetime) -> Select[Any]:
        """One row for each period that holds something, shown or not: its number, how many were looked at, how many are shown, their
        hash; `size`: of all lines, which are not put together where that is too much.
        """
        c = columns(self.resource.row)
        some = (
            sa.select(self._at.label("at"), self.is_shown.label("shown"), self._line.label("line"))
            .where(self._at >= begin, self._at < end)
            .order_by(self._at, c.id)
            .limit(MAX_RECORDS + 1)
            .cte("some")
            .prefix_with("materialized", dialect="postgresql")
        )
        number = sa.func.width_bucket(some.c.at, sa.literal(list(begins), ARRAY(sa.DateTime(timezone=True))))
        line = sa.collate(some.c.line, "C")
        size = sa.select(sa.func.sum(sa.func.octet_length(some.c.line))).scalar_subquery()
        together = sa.func.string_agg(some.c.line + "\n", aggregate_order_by(sa.literal(""), line))
        whole = together.filter(some.c.shown, size <= _MAX_BYTES)
        return (
            sa.select(
                number.label("n"),
                sa.func.count().label("looked"),
                sa.func.count().filter(some.c.shown).label("shown"),
                _hash(sa.func.coalesce(whole, "")).label("hash"),
                size.label("size"),
            )
            .group_by(number)
            .order_by(number)
        )


async def digests_of(
    session: ReadSession, resource: Resource[Any, Any, Any], fields: Sequence[Field], by: Field, source: str | None
) -> Digests:
    """`source`: only the records of this one. Raises Forbidden for a field of which the caller reads no record in clear."""
    assert resource.digests is not None
    of_source = resource.fields.get(resource.digests.source or "") if source is not None else None
    external_id = resource.fields.get("external_id")
    if external_id is not None and external_id.type.is_list:  # of several systems: a line may name them
        external_id = None
    tested = [*fields, by, *(each for each in (of_source, external_id) if each is not None)]
    is_shown = await access.reached(session, resource, tested)
    if of_source is not None:
        is_shown = sa.and_(is_shown, _comparable(of_source) == source)
    # A column that is null is not shown to be anything.
    return Digests(resource, fields, by, sa.func.coalesce(is_shown, sa.false()), external_id)


def canonical(field: Field) -> ColumnElement[str]:
    """A field's value as its text in a line.

    Missing: `\\N`. Text: as it is, with backslash, tab, line feed and carriage return as `\\\\`, `\\t`, `\\n`, `\\r`. Numbers: decimal,
    without zeros that say nothing. Times: UTC with six digits behind the point. Lists: their elements, sorted by their bytes,
    each a text with commas as `\\,`, with commas between; empty where there are none.
    """
    column = _comparable(field)
    spelled: ColumnElement[Any]
    match field.type:
        case FieldType.NUMBER | FieldType.INTEGER:
            spelled = sa.cast(sa.func.trim_scale(sa.cast(column, sa.Numeric())), sa.Text())
        case FieldType.BOOLEAN:
            spelled = sa.cast(column, sa.Text())
        case FieldType.DATE:
            spelled = sa.func.to_char(column, "YYYY-MM-DD")
        case FieldType.DATETIME:
            spelled = sa.func.to_char(sa.func.timezone("UTC", column), _MOMENT)
        case kind if kind.is_list:
            return _list(column)
        case _:
            spelled = _escaped(column)
    return sa.func.coalesce(spelled, _MISSING)


def _list(column: ColumnElement[Any]) -> ColumnElement[str]:
    element = sa.func.unnest(column).column_valued("element")
    raw = sa.collate(sa.cast(element, sa.Text()), "C")
    spelled = sa.func.replace(_escaped(sa.cast(element, sa.Text())), ",", "\\,")
    joined = sa.func.string_agg(spelled, aggregate_order_by(sa.literal(","), raw))
    return sa.func.coalesce(sa.select(joined).scalar_subquery(), "")


def _escaped(text: ColumnElement[Any]) -> ColumnElement[str]:
    for found, written in _ESCAPED:
        text = sa.func.replace(text, found, written)
    return text


def _comparable(field: Field) -> ColumnElement[Any]:
    assert field.column is not None, "asked for by who looked"
    return sa.type_coerce(field.column, field.column.type)


def _hash(text: ColumnElement[str]) -> ColumnElement[str]:
    return sa.func.encode(sa.func.sha256(sa.func.convert_to(text, "UTF8")), "hex")
