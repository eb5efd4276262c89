"""Notes: tables, rules and routes of the toy service in one file."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from crm_contracts.types import MAX_INTEGER, CustomFields, Input, LongText, Money, Name, Slug, Tag
from crm_kit.conditions import Field as Filter
from crm_kit.conditions import FieldSet, FieldType
from crm_kit.db.models import CodePointText, EntityRow, columns, json_column, text_list_column
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal
from crm_kit.http.route import Writing, route_options
from crm_kit.outbox import EntityEvents
from crm_kit.resources import (
    EntityPath,
    Matcher,
    Resource,
    base_fields,
    check_if_match,
    entity_response,
    given,
    resource_router,
)
from crm_kit.rights import TENANT_WIDE
from crm_kit.tables import mount_kit_tables
from fastapi import Request
from pydantic import Field as Bounds
from pydantic import JsonValue
from sqlalchemy import BigInteger, Index, Numeric, select
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel
from starlette.responses import Response

from crm_testkit.toy_service.contracts import NOTE, Note, NoteId

_registry = registry()
METADATA = _registry.metadata


class Base(SQLModel, registry=_registry):
    """Base of the toy service's tables."""


mount_kit_tables(METADATA)


class NoteRow(EntityRow, Base, table=True):
    """`mark` is unique within a tenant, by the database alone: nothing looks before it is written."""

    __tablename__ = "note"
    __table_args__ = (
        Index("note_created", "tenant_id", "created_at", "id"),
        Index("note_mark", "tenant_id", "mark", unique=True),
        Index("note_tags", "tags", postgresql_using="gin"),
    )

    title: str = Field(sa_type=CodePointText, nullable=False)
    text: str | None = Field(default=None, sa_type=CodePointText)
    mark: str | None = Field(default=None, sa_type=CodePointText)
    count: int = Field(default=0, sa_type=BigInteger, nullable=False)
    size: int | None = Field(default=None, sa_type=BigInteger)
    price_amount: Decimal | None = Field(default=None, sa_type=Numeric)
    price_currency: str | None = Field(default=None, sa_type=CodePointText)
    tags: list[str] = text_list_column()
    custom: dict[str, Any] = json_column(dict)


class NoteWrite(Input):
    title: Name
    text: LongText | None = None
    mark: Slug | None = None
    count: Annotated[int, Bounds(strict=True, ge=0, le=MAX_INTEGER)] = 0
    size: Annotated[int, Bounds(strict=True, ge=-MAX_INTEGER, le=MAX_INTEGER)] | None = None
    price: Money | None = None
    tags: Annotated[list[Tag], Bounds(max_length=200)] = []
    custom: CustomFields = {}


def snapshot(row: NoteRow) -> Note:
    price = None
    if row.price_amount is not None and row.price_currency is not None:
        price = Money(amount=row.price_amount, currency=row.price_currency)
    return Note.model_validate({**row.model_dump(), "price": price})


NOTE_EVENTS = EntityEvents(NOTE, NoteRow, snapshot)


def _write(row: NoteRow, data: NoteWrite) -> None:
    row.price_amount = data.price.amount if data.price else None
    row.price_currency = data.price.currency if data.price else None
    row.tags = list(data.tags)
    row.custom = dict(data.custom)
    for name in ("title", "text", "mark", "count", "size"):
        setattr(row, name, getattr(data, name))


async def create_note(session: WriteSession, data: NoteWrite, _caller: Principal) -> Note:
    row = NoteRow(id=NoteId.new(), title=data.title)
    _write(row, data)
    return await NOTE_EVENTS.created(session, row)


async def update_note(session: WriteSession, row: NoteRow, data: NoteWrite, _caller: Principal) -> None:
    before = snapshot(row)
    _write(row, data)
    await NOTE_EVENTS.updated(session, row, before)


async def delete_note(session: WriteSession, row: NoteRow, _caller: Principal) -> None:
    await NOTE_EVENTS.deleted(session, row)


def _mark_keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[str]:
    mark = given(NoteWrite, data, "mark", title="-").mark
    assert mark is not None, "`given` has looked"
    return [mark]


async def _find_marks(session: WriteSession, marks: Sequence[str]) -> Mapping[str, Sequence[str]]:
    found = await session.execute(select(_c.mark, _c.id).where(_c.mark.in_(marks)))
    ids = {row.mark: [row.id] for row in found}
    return {mark: ids.get(mark, []) for mark in marks}


_c = columns(NoteRow)

NOTES = Resource(
    singular="note",
    plural="notes",
    label=Text("note", "便条"),
    row=NoteRow,
    write=NoteWrite,
    events=NOTE_EVENTS,
    fields=FieldSet(
        "Note",
        [
            *base_fields(NoteRow),
            Filter("title", FieldType.TEXT, _c.title, sortable=True, nullable=False),
            Filter("text", FieldType.TEXT, _c.text, sortable=True),
            Filter("mark", FieldType.TEXT, _c.mark, normalise=str.casefold),
            Filter("count", FieldType.INTEGER, _c.count, sortable=True, nullable=False),
            Filter("size", FieldType.INTEGER, _c.size, sortable=True),
            Filter("price", FieldType.NUMBER, _c.price_amount, value="price.amount", sortable=True),
            Filter("tag", FieldType.TEXT_LIST, _c.tags, value="tags"),
        ],
    ),
    ownership=TENANT_WIDE,
    create=create_note,
    update=update_note,
    delete=delete_note,
    match={"mark": Matcher(_mark_keys, _find_marks, lambda note: [note.mark] if note.mark else [])},
)

router = resource_router(NOTES)


@router.post(
    "/{entity_id}/stamp", response_model=Note, operation_id="stamp_note", openapi_extra=route_options(needs="admin")
)
async def stamp(request: Request, entity_id: EntityPath, session: Writing) -> Response:
    """An action: counts one up."""
    row = await NOTES.lock(session, entity_id)
    check_if_match(request, row.version)
    before = snapshot(row)
    row.count += 1
    await NOTE_EVENTS.updated(session, row, before)
    return entity_response(request, snapshot(row))
