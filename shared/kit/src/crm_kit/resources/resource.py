"""A resource: one entity type as clients see it."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cache
from typing import Any, Generic, Literal, TypeVar

from crm_contracts.ids import prefix_of
from crm_contracts.sensitivity import Sensitivity, classes_of
from crm_contracts.types import Entity, Input
from pydantic import JsonValue, ValidationError
from sqlalchemy import ARRAY, ColumnElement, Select, any_, bindparam, literal, select
from sqlalchemy import Text as SqlText

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.custom_fields import NOTHING_DECLARED, Declared
from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.standing import Standing
from crm_kit.errors import Erased, FieldError, Merged, NotFound, Problem, Text, ValidationFailed
from crm_kit.http import merge_patch
from crm_kit.http.messages import message
from crm_kit.http.principal import Principal
from crm_kit.http.problems import json_pointer, validation_problem
from crm_kit.outbox import EntityEvents
from crm_kit.resources import access
from crm_kit.rights import CUSTOM, Action, Ownership, Sights

RowT = TypeVar("RowT", bound=EntityRow)
WriteT = TypeVar("WriteT", bound=Input)
EntityT = TypeVar("EntityT", bound=Entity)

Key = Hashable
"""What an upsert looks a record up by: an address, a number of a source."""


@dataclass(frozen=True)
class Matcher(Generic[EntityT]):
    """How upserts by one name find what they match.

    `keys`: of an upsert's raw data; ValidationFailed where it lacks them. `find`: the ids that hold each key, all keys
    locked, so that two upserts cannot both find nothing. `held`: the keys by which an entity is found.
    """

    keys: Callable[[Mapping[str, JsonValue], Principal], Sequence[Key]]
    find: Callable[[WriteSession, Sequence[Any]], Awaitable[Mapping[Any, Sequence[str]]]]
    held: Callable[[EntityT], Iterable[Key]]


def one_by_one(
    find: Callable[[WriteSession, Any], Awaitable[Sequence[str]]],
) -> Callable[[WriteSession, Sequence[Any]], Awaitable[Mapping[Any, Sequence[str]]]]:
    """A Matcher's `find` of one that locks and looks up a single key: for resources that are seldom written by thousands."""

    async def find_all(session: WriteSession, keys: Sequence[Any]) -> Mapping[Any, Sequence[str]]:
        return {key: await find(session, key) for key in sorted(keys, key=str)}  # in one order, so that none deadlock

    return find_all


@dataclass(frozen=True, slots=True)
class Digested:
    """`times`: the fields of type DATETIME by which periods are told, the usual one first. Each has an index on the tenant, it
    and the id. `source`: the field that says of which other system a record is, where there is one.
    """

    times: tuple[str, ...]
    source: str | None = None


@dataclass(frozen=True)
class PartOf:
    """What the records of a resource are parts of: of another's, which their `column` names."""

    resource: "Resource[Any, Any, Any]"
    column: ColumnElement[Any]


@dataclass(frozen=True, kw_only=True)
class Resource(Generic[RowT, WriteT, EntityT]):
    """What the kit needs to serve an entity type.

    `write` is the whole writable state: a create is one, a patch must lead to one. `create`, `update` and `delete`
    are the feature's use cases; one that is None is not offered. `match` holds the keys of upserts.
    `ownership`: whose a record is. `administered`: the actions that take the permission `admin` instead.
    `within`: what they are parts of, in whose name permissions are given. `custom`: what tenants declare of the values under
    `custom`; the use cases have them judged by it. `successor`: into which record one that is there no more was merged.
    `erased`: whether one that is there no more was erased; only who reads all records is told.
    `momentary`: members that are said of a change, such as the reason for it:
    a patch that does not send them says none.
    `left_out`: a boolean field; records of which it holds are left out of lists and searches that do not ask by it.
    `foresee`: looks up for all of some that are about to be created what each would look up by itself.
    `sender_time`: the member that says when its source last changed a record; a change that says an earlier time than the record
    has changes nothing (`writing.change`).
    `digests`: by what periods of time it is compared with another system's records (`digests.py`).
    """

    singular: str
    plural: str
    label: Text
    row: type[RowT]
    write: type[WriteT]
    events: EntityEvents[RowT, EntityT]
    fields: FieldSet
    ownership: Ownership
    create: Callable[[WriteSession, WriteT, Principal], Awaitable[EntityT]] | None
    update: Callable[[WriteSession, RowT, WriteT, Principal], Awaitable[None]] | None
    delete: Callable[[WriteSession, RowT, Principal], Awaitable[None]] | None
    match: Mapping[str, Matcher[EntityT]] = dataclass_field(default_factory=dict)
    default_sort: str = "-created_at"
    administered: frozenset[Literal["read", "write"]] = frozenset()
    within: PartOf | None = None
    custom: Standing[Declared] | None = None
    successor: Callable[[ReadSession, str], Awaitable[str | None]] | None = None
    erased: Callable[[ReadSession, str], Awaitable[bool]] | None = None
    momentary: frozenset[str] = frozenset()
    left_out: str | None = None
    foresee: Callable[[WriteSession, Sequence[WriteT]], Awaitable[None]] | None = None
    sender_time: str | None = None
    digests: Digested | None = None

    @property
    def read(self) -> type[EntityT]:
        return self.events.topic.model  # type: ignore[return-value]  # the topic and the events speak of one entity

    @property
    def plural_name(self) -> str:
        """`plural`, which stands in addresses, as a name in programs."""
        return self.plural.replace("-", "_")

    @property
    def permission(self) -> str:
        """Its name in permissions."""
        return self.within.resource.plural if self.within is not None else self.plural

    def is_administered(self, action: Action) -> bool:
        return ("read" if action in ("read", "export") else "write") in self.administered

    async def declared(self, session: ReadSession) -> Declared:
        """What the tenant has declared of custom fields."""
        return await session.known(self.custom) if self.custom is not None else NOTHING_DECLARED

    async def fields_in(self, session: ReadSession, names: Iterable[str]) -> FieldSet:
        """The fields that conditions and sorts may name, the tenant's own among them where one of the names asks for it."""
        if self.custom is None or not any(self.fields.may_declare(name) for name in names):
            return self.fields
        return (await self.declared(session)).among(self.fields, columns(self.row)[CUSTOM])

    def sensitivity_of(self, field: Field) -> Sensitivity:
        """Of what a condition or a sort by this field tells of."""
        if field.sensitivity is not None:
            return field.sensitivity
        path = field.part_of or (field.value if isinstance(field.value, str) else field.name)
        declared = classes_of(self.read).get(path.partition(".")[0])
        return declared.sensitivity if declared else "private"

    async def get(self, session: ReadSession, entity_id: str) -> RowT:
        """Raises NotFound; so is what the caller may not see, and another tenant's."""
        row: RowT | None = await session.scalar(_by_id(self.row), _wanted(entity_id))
        if row is None:
            raise await self.absent(session, entity_id)
        if not await access.look_at(session, self, [row.id]):
            raise self.not_found(entity_id)
        return row

    async def lock(self, session: WriteSession, entity_id: str, action: Action = "update") -> RowT:
        """The row, locked until the transaction ends and as it is now, for an action on it.

        Raises NotFound, and Forbidden where the caller sees it and the action is not granted.
        """
        row: RowT | None = await session.scalar(_locked_by_id(self.row), _wanted(entity_id))
        if row is None:
            raise await self.absent(session, entity_id)
        if not await access.look_at(session, self, [row.id], action):
            if session.sights is not None and session.sights.of(row.id) is None:
                raise self.not_found(entity_id)
            raise access.forbidden(f"{self.permission}:{action}")
        return row

    async def get_part(self, session: ReadSession, of_id: str, entity_id: str) -> RowT:
        """As `get`, of a record that is a part of that one. Raises NotFound for one of another's."""
        return self._part(await self.get(session, entity_id), of_id)

    async def lock_part(self, session: WriteSession, of_id: str, entity_id: str, action: Action = "update") -> RowT:
        """As `lock`, of a record that is a part of that one. Raises NotFound for one of another's."""
        return self._part(await self.lock(session, entity_id, action), of_id)

    def _part(self, row: RowT, of_id: str) -> RowT:
        assert self.within is not None, "it is a part of something"
        if getattr(row, str(self.within.column.key)) != of_id:
            raise self.not_found(row.id)
        return row

    async def held(self, session: WriteSession, entity_id: str) -> RowT:
        """The row, locked as `lock` locks it, whatever may be done to it: for work that was begun in the caller's name.

        Raises NotFound.
        """
        row: RowT | None = await session.scalar(_locked_by_id(self.row), _wanted(entity_id))
        if row is None:
            raise self.not_found(entity_id)
        return row

    async def lock_all(self, session: WriteSession, ids: Iterable[str]) -> Mapping[str, RowT]:
        """The rows of those that are there, locked as `lock` locks one, in one order; what may be done to them is not asked."""
        c = columns(self.row)
        # One parameter, so that the statement's text is the same for any number; and ids alone, as in `_wanted`.
        wanted = literal([id_ for id_ in set(ids) if prefix_of(id_)], ARRAY(SqlText()))
        statement = select(self.row).where(c.id == any_(wanted)).order_by(c.id).with_for_update()
        rows = await session.scalars(statement.execution_options(populate_existing=True))
        return {row.id: row for row in rows}

    async def seen(self, session: ReadSession, rows: Sequence[RowT]) -> list[RowT]:
        """Of rows that were read otherwise, those that the caller may see."""
        seen = await access.look_at(session, self, [row.id for row in rows])
        return [row for row in rows if row.id in seen]

    async def absent(self, session: ReadSession, entity_id: str) -> Problem:
        """Why there is no such record: Merged where the caller sees the one that it was merged into, Erased where they would
        have seen it, else NotFound.
        """
        successor = await self.successor(session, entity_id) if self.successor is not None else None
        if successor is None or not await access.look_at(session, self, [successor]):
            if self.erased is not None and self.is_read_whole(session.sights) and prefix_of(entity_id) == self.singular:
                return Erased() if await self.erased(session, entity_id) else self.not_found(entity_id)
            return self.not_found(entity_id)
        return Merged(
            Text(f"{entity_id} has been merged into {successor}.", f"{entity_id} 已合并到 {successor}。"),
            members={"merged_into": successor},
        )

    def is_read_whole(self, sights: Sights | None) -> bool:
        """Whether the caller sees every record: what is there no more could not have been out of their sight."""
        return sights is None or sights.rights.on(self.permission).widest("read") == "all"

    def not_found(self, entity_id: str) -> NotFound:
        shown = entity_id if entity_id.isprintable() and len(entity_id) <= 100 else "…"
        return NotFound(Text(f"There is no {self.label.en} {shown}.", f"不存在{self.label.zh} {shown}。"))

    def patched(self, entity: EntityT, patch: Mapping[str, JsonValue]) -> WriteT:
        """The writable state of `entity` after an RFC 7396 patch. Raises ValidationFailed."""
        known = self.write.model_fields
        unknown = [name for name in patch if name not in known]
        if unknown:
            text = message("extra_forbidden")
            raise ValidationFailed(
                text, errors=[FieldError(json_pointer([name]), "unknown_field", text) for name in unknown]
            )
        state = entity.model_dump(mode="json", include=known.keys() - self.momentary)
        # Only at the top: what a client keeps under `custom` may be null on purpose.
        written = {name: value for name, value in state.items() if value is not None}
        return self.validated(merge_patch.apply(written, dict(patch)))

    def validated(self, data: object) -> WriteT:
        """Raises ValidationFailed with a pointer for every fault."""
        try:
            return self.write.model_validate(data)
        except ValidationError as error:
            raise validation_problem(error.errors()) from error


@cache
def _by_id(row: type[EntityRow]) -> Select[Any]:
    return select(row).where(columns(row).id == bindparam("id"))


@cache
def _locked_by_id(row: type[EntityRow]) -> Select[Any]:
    return _by_id(row).with_for_update().execution_options(populate_existing=True)


def _wanted(entity_id: str) -> dict[str, str]:
    """What is no id is the id of nothing: PostgreSQL need not see it, and could not carry some of it."""
    return {"id": entity_id if prefix_of(entity_id) else ""}


def base_fields(row: type[EntityRow]) -> list[Field]:
    """The fields that every resource can be filtered and sorted by."""
    c = columns(row)
    return [
        Field("id", FieldType.ID, c.id, sortable=True, nullable=False),
        Field("created_at", FieldType.DATETIME, c.created_at, sortable=True, nullable=False),
        Field("updated_at", FieldType.DATETIME, c.updated_at, sortable=True, nullable=False),
    ]


def given(write: type[WriteT], data: Mapping[str, JsonValue], key: str, **stand_ins: JsonValue) -> WriteT:
    """For upserts: `key` of the raw data, validated. `stand_ins` fill fields that the model requires.

    Raises ValidationFailed where `key` is missing, empty or wrong.
    """
    if not data.get(key):
        detail = message("missing")
        raise ValidationFailed(detail, errors=[FieldError(f"/{key}", "required", detail)])
    try:
        return write.model_validate({**stand_ins, key: data[key]})
    except ValidationError as error:
        raise validation_problem(error.errors()) from error
