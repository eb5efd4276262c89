"""Every statement about declarations beyond those that all resources have."""

from collections.abc import Iterable, Sequence
from typing import Any

from crm_kit.conditions import named_fields
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.rights import CUSTOM
from sqlalchemy import Select, func, select

from contacts_svc.features.assignment.models import TerritoryRow
from contacts_svc.features.declaring.models import CustomFieldRow
from contacts_svc.features.retaining.models import RetentionRuleRow
from contacts_svc.features.tagging.models import TagRuleRow
from contacts_svc.features.validating.models import ValidationRuleRow

_c, _territory, _rule = columns(CustomFieldRow), columns(TerritoryRow), columns(ValidationRuleRow)
_retention, _tagging = columns(RetentionRuleRow), columns(TagRuleRow)


async def count(session: ReadSession, resource: str) -> int:
    return int(await session.scalar(select(func.count()).where(_c.resource == resource)))


async def with_name(session: ReadSession, resource: str, name: str) -> str | None:
    """The id of the field that has the name."""
    found: str | None = await session.scalar(select(_c.id).where(_c.resource == resource, _c.name == name))
    return found


async def rules_naming(session: ReadSession, resource: str, name: str) -> Sequence[str]:
    """The ids of the validation rules that speak of the field."""
    statement = select(_rule.id, _rule.condition, _rule.when, _rule.field).where(_rule.resource == resource)
    rows = (await session.execute(statement.order_by(_rule.id))).all()
    return [row.id for row in rows if _names(name, [*named_fields([row.condition, row.when]), row.field or ""])]


async def retention_rules_naming(session: ReadSession, resource: str, name: str) -> Sequence[str]:
    """The ids of the retention rules whose conditions speak of the field."""
    statement = select(_retention.id, _retention.where).where(_retention.resource == resource)
    rows = (await session.execute(statement.order_by(_retention.id))).all()
    return [row.id for row in rows if _names(name, named_fields(row.where))]


async def territories_naming(session: ReadSession, resource: str, name: str) -> Sequence[str]:
    """The ids of those whose conditions speak of the field."""
    statement: Select[Any] = (
        select(_territory.id, _territory.where).where(_territory.resource == resource).order_by(_territory.id)
    )
    return [row.id for row in (await session.execute(statement)).all() if _names(name, named_fields(row.where))]


async def tag_rules_naming(session: ReadSession, name: str) -> Sequence[str]:
    """The ids of the tag rules whose conditions speak of the field of contacts."""
    rows = (await session.execute(select(_tagging.id, _tagging.where).order_by(_tagging.id))).all()
    return [row.id for row in rows if _names(name, named_fields(row.where))]


def _names(name: str, fields: Iterable[str]) -> bool:
    """Whether one of the fields is the custom field of this name, or a part of it."""
    mine = f"{CUSTOM}.{name}"
    return any(each == mine or each.startswith(f"{mine}.") for each in fields)
