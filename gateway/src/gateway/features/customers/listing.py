"""Customers in lists: those that a caller may see, with their profiles."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

from crm_kit.conditions import FieldSet, FieldType, json_column
from crm_kit.custom_fields import DeclaredFields, declared_of
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.resources import copies_reached
from crm_kit.rights import CUSTOM
from sqlalchemy import Select, and_, cast, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from gateway.documents.fields import published_fields
from gateway.features.customers.models import CustomerViewRow, EntityCopy

_view, _entity = columns(CustomerViewRow), columns(EntityCopy)


@cache
def _fields_of(resource: str) -> FieldSet:
    """What a row tells of the record of the resource that it is a copy of."""
    return FieldSet.from_published(resource, published_fields(resource), partial(json_column, _entity.data))


def fields_of_copies(resource: str, declared: DeclaredFields) -> FieldSet:
    """As `_fields_of`, with the custom fields that are declared. A statement that uses them reads the `entity` table too."""
    return declared_of(declared, resource).among(_fields_of(resource), cast(_entity.data, JSONB)[CUSTOM])


def _views() -> Select[Any]:
    return select(
        _view.id, _view.kind, _view.name, _view.version, _view.as_of, _entity.data.label("profile")
    ).join_from(CustomerViewRow, EntityCopy, _view.id == _entity.id)


async def list_views(
    session: ReadSession,
    resources: Mapping[str, str],
    declared: DeclaredFields,
    *,
    archived: bool | None,
    after: str,
    limit: int,
) -> Sequence[Any]:
    """Those that the caller may see, by id; `resources`: the kinds that are wanted, and the resource that each is of.
    `archived`: None for whatever they are.
    """
    fields = {each: fields_of_copies(each, declared) for each in resources.values()}
    seen = [
        and_(_view.kind == kind, copies_reached(session, resource, _view.id, fields[resource]))
        for kind, resource in resources.items()
    ]
    statement = _views().where(_view.id > after, or_(*seen))
    if archived is not None:
        since = json_column(_entity.data, "archived_at", FieldType.TEXT)
        statement = statement.where(since.is_not(None) if archived else since.is_(None))
    return (await session.execute(statement.order_by(_view.id).limit(limit))).all()


async def views_of(session: ReadSession, ids: Sequence[str]) -> dict[str, Any]:
    """Of customers that the caller may see, by id; who has none any more is missing."""
    return {row.id: row for row in await session.execute(_views().where(_view.id.in_(ids)))} if ids else {}
