"""Keyset pagination: pages that stay true while rows come and go.

A cursor holds the sort key of the last row of a page; the next page is what sorts after it. So a row that
is there throughout a walk appears exactly once, whatever is inserted or deleted meanwhile, the last row
included. (A row whose own sort key changes during the walk may be seen twice or not at all.)

Rows without a value come last, in both directions. Text sorts by code point. The id breaks ties, in the
direction of the last key, so that a sort in one direction over columns that are never null is a plain index
scan.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Executable, Result, Select

from crm_kit.conditions.fields import Field, FieldSet
from crm_kit.conditions.sql import bound, comparable
from crm_kit.conditions.values import Scalar, convert
from crm_kit.keyring import Keyring

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200
MAX_SORT_KEYS: Final = 3
MAX_CURSOR_LENGTH: Final = 16_384
"""Characters; room for three texts of 1,000 characters."""

Row = TypeVar("Row")
SortValue = Scalar | None


class PaginationError(ValueError):
    """A page that cannot be had: `status`, `code` and a detail for the client."""

    status: ClassVar[int]
    code: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidCursor(PaginationError):
    """The cursor is not one of ours, or belongs to another list, filter or sort."""

    status = 400
    code = "invalid_cursor"


class InvalidSort(PaginationError):
    """The sort names a field that cannot be sorted by, or too many of them."""

    status = 422
    code = "invalid_sort"


class RepeatedSort(InvalidSort):
    """The sort names one field twice, which no JSON Schema could tell."""

    code = "repeated_sort"


class InvalidLimit(PaginationError):
    """The limit is not within 1 and `MAX_LIMIT`."""

    status = 422
    code = "invalid_limit"


@dataclass(frozen=True, slots=True)
class SortKey:
    """One field to sort by."""

    field: Field
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.field.name}" if self.descending else self.field.name


Sort = tuple[SortKey, ...]
"""Sort keys in their precedence; the last is the id, so no two rows are equal."""


def parse_sort(sort: str | Sequence[str], fields: FieldSet) -> Sort:
    """The sort that `-created_at,name` (or a list of such names) asks for, over sortable fields. Raises
    InvalidSort.

    `fields` must have a sortable field `id`, which is appended unless it is named.
    """
    names = [name.strip() for name in sort.split(",")] if isinstance(sort, str) else list(sort)
    names = [name for name in names if name] if isinstance(sort, str) and not sort.strip() else names
    if len(names) > MAX_SORT_KEYS:
        raise InvalidSort(f"At most {MAX_SORT_KEYS} fields can be sorted by.")
    keys: list[SortKey] = []
    for name in names:
        field = fields.sortable(name.removeprefix("-"))
        if field is None:
            known = ", ".join(field.name for field in fields if field.sortable)
            raise InvalidSort(f"{name[:100]!r} cannot be sorted by; {fields.name} can be sorted by {known}.")
        if any(key.field is field for key in keys):
            raise RepeatedSort(f"{field.name!r} is named twice.")
        keys.append(SortKey(field, descending=name.startswith("-")))
    tie_break = fields.sortable("id")
    if tie_break is None:
        raise ValueError(f"{fields.name} has no sortable field 'id' to break ties with.")
    if all(key.field is not tie_break for key in keys):
        keys.append(SortKey(tie_break, descending=bool(keys) and keys[-1].descending))
    return tuple(keys)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list: after which cursor, how long, in which sort. Raises InvalidLimit."""

    sort: Sort
    limit: int = DEFAULT_LIMIT
    cursor: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidLimit(f"The limit is a number from 1 to {MAX_LIMIT}.")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in sort order; `next_cursor` is None on the last page and only there."""

    rows: Sequence[Row]
    next_cursor: str | None


class Cursors:
    """Writes and reads cursors for one list: one tenant, one resource, one filter.

    keyring: the secrets of the service, of at least 16 bytes; whoever has another cannot make cursors.
    filters: whatever else decides which rows are in the list, as JSON; a cursor is refused under other
    filters.
    """

    def __init__(self, keyring: Keyring, *, tenant_id: str, resource: str, filters: object = None) -> None:
        self._keys = [secret.encode() for secret in keyring]
        if min(map(len, self._keys)) < 16:
            raise ValueError("A key that signs cursors has at least 16 bytes.")
        self._scope = [tenant_id, resource, filters]

    def write(self, sort: Sort, values: Sequence[SortValue]) -> str:
        """The cursor after the row with these values of the sort's fields. Opaque, and safe in a URL."""
        payload = json.dumps(
            [self._fingerprint(sort), *spelled_place(values)], ensure_ascii=False, separators=(",", ":")
        ).encode()
        return base64.urlsafe_b64encode(_signature(self._keys[0], payload) + payload).rstrip(b"=").decode()

    def read(self, sort: Sort, cursor: str) -> tuple[SortValue, ...]:
        """The values in a cursor that `write` made with the same sort. Raises InvalidCursor."""
        payload = self._signed_payload(cursor)
        fingerprint, *values = json.loads(payload)
        if fingerprint != self._fingerprint(sort):
            raise InvalidCursor("The cursor belongs to another list; repeat its filters and sort, or leave it out.")
        return read_place(sort, values)

    def _signed_payload(self, cursor: str) -> bytes:
        try:
            if len(cursor) > MAX_CURSOR_LENGTH:
                raise ValueError
            signed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise InvalidCursor(_NOT_OURS) from None
        signature, payload = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        if not any(hmac.compare_digest(signature, _signature(key, payload)) for key in self._keys):
            raise InvalidCursor(_NOT_OURS)
        return payload

    def _fingerprint(self, sort: Sort) -> str:
        scope = json.dumps([*self._scope, *map(str, sort)], sort_keys=True, default=str).encode()
        return base64.b64encode(hashlib.sha256(scope).digest()[:9]).decode()


def _signature(key: bytes, payload: bytes) -> bytes:
    # The label keeps the key's other uses apart, and cursors of a later format.
    return hmac.digest(key, b"cursor.1." + payload, "sha256")[:_SIGNATURE_BYTES]


_SIGNATURE_BYTES: Final = 16
_NOT_OURS: Final = "The cursor is not one that this list gave out; start again without it."


def spelled_place(values: Sequence[SortValue]) -> list[object]:
    """A row's values of the sort's fields as JSON holds them, for `read_place`."""
    return [_to_json(value) for value in values]


def read_place(sort: Sort, spelled: Sequence[object]) -> tuple[SortValue, ...]:
    """What `spelled_place` was given."""
    return tuple(_from_json(value, key.field) for value, key in zip(spelled, sort, strict=True))


def _to_json(value: SortValue) -> object:
    """Exactly: a datetime keeps its microseconds, a decimal its digits."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _from_json(value: object, field: Field) -> SortValue:
    return None if value is None else convert(value, field.type)


def apply_keyset(statement: Select[Row], sort: Sort, after: Sequence[SortValue] | None = None) -> Select[Row]:
    """The statement in this sort, beginning after the row with these values of the sort's fields, if given."""
    statement = statement.order_by(*(ordered(key, comparable(key.field)) for key in sort))
    return statement if after is None else statement.where(after_values(sort, after))


def ordered(key: SortKey, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column in the order of a key."""
    # Where there are no nulls the clause is left out: `NULLS LAST` would keep a plain index from serving DESC.
    direction = column.desc() if key.descending else column.asc()
    return direction.nulls_last() if key.field.nullable else direction


def walks(statement: Select[Row], sort: Sort, after: Sequence[SortValue] | None) -> Iterator[Select[Row]]:
    """As `apply_keyset`, in statements that give its rows one after another, each a plain walk along an index.

    Rows without a value of the first key are a list of their own behind the others: in one statement they would keep a
    plain index from serving the descending order, and the place of a cursor.
    """
    first, rest = sort[0], sort[1:]
    if not first.field.nullable:
        yield apply_keyset(statement, sort, after)
        return
    column = comparable(first.field)
    last = None
    if after is None or after[0] is not None:
        filled = SortKey(replace(first.field, nullable=False), first.descending)
        yield apply_keyset(statement.where(column.is_not(sa.null())), (filled, *rest), after)
    else:
        last = after[1:]
    missing = statement.where(column.is_(sa.null())).order_by(column.desc() if first.descending else column.asc())
    yield apply_keyset(missing, rest, last)


def after_values(sort: Sort, values: Sequence[SortValue]) -> ColumnElement[bool]:
    """Where a row sorts after one with these values."""
    pairs = list(zip(sort, values, strict=True))
    if len({key.descending for key in sort}) == 1 and not any(key.field.nullable for key in sort):
        return _row_comparison(pairs, descending=sort[0].descending)
    # a after x, or a = x and b after y, or …
    alternatives = []
    for index, (key, value) in enumerate(pairs):
        beyond = _beyond(key, value)
        if beyond is not None:
            alternatives.append(sa.and_(*(_same(*pair) for pair in pairs[:index]), beyond))
    return sa.or_(*alternatives)


def _row_comparison(pairs: Sequence[tuple[SortKey, SortValue]], *, descending: bool) -> ColumnElement[bool]:
    """`(a, b) > (x, y)`, which PostgreSQL turns into the start of an index scan."""
    columns = sa.tuple_(*(comparable(key.field) for key, _ in pairs))
    values = sa.tuple_(*(bound(value, key.field.type) for key, value in pairs))
    return columns < values if descending else columns > values


def _beyond(key: SortKey, value: SortValue) -> ColumnElement[bool] | None:
    """Sorts after the value by this key alone; None if nothing does, since nulls are last."""
    if value is None:
        return None
    column, parameter = comparable(key.field), bound(value, key.field.type)
    beyond = column < parameter if key.descending else column > parameter
    return sa.or_(beyond, column.is_(sa.null())) if key.field.nullable else beyond


def _same(key: SortKey, value: SortValue) -> ColumnElement[bool]:
    column = comparable(key.field)
    return column.is_(sa.null()) if value is None else column == bound(value, key.field.type)


class Session(Protocol):
    """What can execute a statement: a ReadSession, an AsyncSession, an AsyncConnection."""

    async def execute(self, statement: Executable, /) -> Result[Any]: ...


async def fetch_page(session: Session, statement: Select[Row], request: PageRequest, cursors: Cursors) -> Page[Row]:
    """One page of the rows of a statement that selects one entity or column and has no order of its own.

    Raises InvalidCursor.
    """
    after = None if request.cursor is None else cursors.read(request.sort, request.cursor)
    return page_of(await fetch_rows(session, statement, request.sort, after, request.limit + 1), request, cursors)


async def fetch_rows(
    session: Session, statement: Select[Row], sort: Sort, after: Sequence[SortValue] | None, limit: int
) -> Sequence[sa.Row[Any]]:
    """The next rows of such a statement in this sort, each with its place (`place_of`) behind the entity or column."""
    found: list[sa.Row[Any]] = []
    for walk in walks(statement.add_columns(*sort_columns(sort)), sort, after):
        missing = limit - len(found)
        if missing:
            found += (await session.execute(walk.limit(missing))).all()
    return found


def place_of(row: sa.Row[Any], sort: Sort) -> list[SortValue]:
    """The values of the sort's fields of a row that `fetch_rows` gave; what stands behind them is somebody else's."""
    values = tuple(row)[1 : 1 + len(sort)]
    return [convert(value, key.field.type) for value, key in zip(values, sort, strict=True)]


def sort_columns(sort: Sort) -> list[sa.Label[Any]]:
    """What a row is sorted by, as `page_of` takes it behind the row itself."""
    return [comparable(key.field).label(f"sort_key_{n}") for n, key in enumerate(sort)]


def page_of(found: Sequence[sa.Row[Any]], request: PageRequest, cursors: Cursors) -> Page[Any]:
    """The page that these rows are, of which one more was asked for than it holds."""
    page = found[: request.limit]
    if len(found) == len(page):
        return Page([row[0] for row in page], next_cursor=None)
    return Page([row[0] for row in page], cursors.write(request.sort, place_of(page[-1], request.sort)))
