"""Copies of the declarations, for who does not own them, fed by their events."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crm_contracts.envelope import Event
from crm_contracts.registry import CUSTOM_FIELD
from sqlalchemy import BigInteger, Column, DateTime, Index, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from crm_kit.custom_fields.declared import NOTHING_DECLARED, Declared
from crm_kit.custom_fields.standing import declared_by, lock_custom_fields
from crm_kit.db.rows import store_newer
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.inbox import Consumer, Projection, newest

_C = Text(collation="C")

CUSTOM_FIELD_COPY: Final = Table(
    "custom_field_copy",
    MetaData(),
    Column("tenant_id", _C, primary_key=True),
    Column("id", _C, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("updated_at", DateTime(timezone=True)),
    Column("resource", _C),
    Column("entity", JSONB),
    Index("custom_field_copy_resource", "tenant_id", "resource", "id"),
)
"""Of one that was deleted its version alone is kept, so that an older event which comes late changes nothing."""

_ALL: Final = Sql(
    "select resource, entity::text as declared from custom_field_copy where resource is not null order by id"
)


def follow_custom_fields(service: str) -> Consumer:
    """The consumer that keeps CUSTOM_FIELD_COPY."""

    async def follow(session: WriteSession, events: Sequence[Event]) -> None:
        copies = [_copy(event) for event in newest(events)]
        await lock_custom_fields(session)
        await store_newer(session, CUSTOM_FIELD_COPY, copies)

    return Consumer(
        name=f"{service}.custom_fields",
        topics=(CUSTOM_FIELD,),
        handle=follow,
        order="pass",
        projection=Projection(tables=(CUSTOM_FIELD_COPY.name,), by_default=False),
    )


DeclaredFields = Mapping[str, Declared]
"""What a tenant has declared, by resource; of others nothing."""


def declared_of(declared: DeclaredFields, resource: str) -> Declared:
    return declared.get(resource, NOTHING_DECLARED)


async def copied_custom_fields(session: ReadSession) -> DeclaredFields:
    texts: dict[str, list[str]] = {}
    for row in await session.fetch(_ALL, {}):
        texts.setdefault(row["resource"], []).append(row["declared"])
    return {resource: declared_by(some) for resource, some in texts.items()}


def _copy(event: Event) -> dict[str, Any]:
    copy: dict[str, Any] = {"id": event.subject, "version": event.sequence}
    if event.deleted or event.entity is None:
        return copy
    entity = event.entity
    return {**copy, "updated_at": entity["updated_at"], "resource": entity["resource"], "entity": entity}
