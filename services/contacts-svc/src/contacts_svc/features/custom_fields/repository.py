"""Every statement about declarations beyond those that all resources have."""

from collections.abc import Sequence
from typing import Any

from crm_kit.conditions import named_fields
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.rights import CUSTOM
from sqlalchemy import Select, func, select

from contacts_svc.features.assignment.models import TerritoryRow
from contacts_svc.features.declaring.models import CustomFieldRow

_c, _territory = columns(CustomFieldRow), columns(TerritoryRow)


async def count(session: ReadSession, resource: str) -> int:
    return int(await session.scalar(select(func.count()).where(_c.resource == resource)))


async def with_name(session: ReadSession, resource: str, name: str) -> str | None:
    """The id of the field that has the name."""
    found: str | None = await session.scalar(select(_c.id).where(_c.resource == resource, _c.name == name))
    return found


async def territories_naming(session: ReadSession, resource: str, name: str) -> Sequence[str]:
    """The ids of those whose conditions speak of the field."""
    statement: Select[Any] = (
        select(_territory.id, _territory.where).where(_territory.resource == resource).order_by(_territory.id)
    )
    mine = f"{CUSTOM}.{name}"
    return [
        row.id
        for row in (await session.execute(statement)).all()
        if any(each == mine or each.startswith(f"{mine}.") for each in named_fields(row.where))
    ]
