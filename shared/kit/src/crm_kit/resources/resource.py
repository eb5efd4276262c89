"""A resource: one entity type as clients see it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cache
from typing import Any, Generic, TypeVar

from crm_contracts.ids import prefix_of
from crm_contracts.types import Entity, Input
from pydantic import JsonValue, ValidationError
from sqlalchemy import Select, bindparam, select

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, NotFound, Text, ValidationFailed
from crm_kit.http import merge_patch
from crm_kit.http.messages import message
from crm_kit.http.principal import Action, Principal
from crm_kit.http.problems import json_pointer, validation_problem
from crm_kit.outbox import EntityEvents

RowT = TypeVar("RowT", bound=EntityRow)
WriteT = TypeVar("WriteT", bound=Input)
EntityT = TypeVar("EntityT", bound=Entity)

FindIds = Callable[[WriteSession, Mapping[str, JsonValue], Principal], Awaitable[Sequence[str]]]
"""The ids that an upsert's raw data matches; ValidationFailed where the data lacks the key.

It must lock the key, so that two upserts cannot both find nothing.
"""


@dataclass(frozen=True, kw_only=True)
class Resource(Generic[RowT, WriteT, EntityT]):
    """What the kit needs to serve an entity type.

    `write` is the whole writable state: a create is one, a patch must lead to one. `create`, `update` and `delete`
    are the feature's use cases; one that is None is not offered. `match` holds the keys of upserts.
    `administered`: the actions that take the scope `admin`.
    """

    singular: str
    plural: str
    label: Text
    row: type[RowT]
    write: type[WriteT]
    events: EntityEvents[RowT, EntityT]
    fields: FieldSet
    create: Callable[[WriteSession, WriteT, Principal], Awaitable[EntityT]] | None
    update: Callable[[WriteSession, RowT, WriteT, Principal], Awaitable[None]] | None
    delete: Callable[[WriteSession, RowT, Principal], Awaitable[None]] | None
    match: Mapping[str, FindIds] = dataclass_field(default_factory=dict)
    default_sort: str = "-created_at"
    administered: frozenset[Action] = frozenset()

    @property
    def read(self) -> type[EntityT]:
        return self.events.topic.model  # type: ignore[return-value]  # the topic and the events speak of one entity

    @property
    def plural_name(self) -> str:
        """`plural`, which stands in addresses, as a name in programs."""
        return self.plural.replace("-", "_")

    async def get(self, session: ReadSession, entity_id: str) -> RowT:
        """Raises NotFound; another tenant's entity is not found either."""
        row: RowT | None = await session.scalar(_by_id(self.row), _wanted(entity_id))
        if row is None:
            raise self.not_found(entity_id)
        return row

    async def lock(self, session: WriteSession, entity_id: str) -> RowT:
        """The row, locked until the transaction ends and as it is now. Raises NotFound."""
        row: RowT | None = await session.scalar(_locked_by_id(self.row), _wanted(entity_id))
        if row is None:
            raise self.not_found(entity_id)
        return row

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
        state = entity.model_dump(mode="json", include=set(known))
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
