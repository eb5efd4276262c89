"""Every statement about tag rules, and about the contacts that follow them, beyond those that all resources have."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.resources import base_fields
from crm_kit.timers import TIMER
from sqlalchemy import ARRAY, Text, any_, cast, exists, literal, or_, select

from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.facts.rules import KINDS
from contacts_svc.features.tag_rules.rules import EVALUATION, PAGE
from contacts_svc.features.tagging.models import TagRuleRow

_c, _contact = columns(TagRuleRow), columns(ContactRow)

FIELDS = FieldSet(
    "TagRule",
    [
        *base_fields(TagRuleRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
        Field("tag", FieldType.TEXT, _c.tag, sortable=True, nullable=False),
        Field("active", FieldType.BOOLEAN, _c.active, nullable=False),
    ],
)


async def count(session: ReadSession, except_id: str) -> tuple[int, int]:
    """How many there are besides, and how many of them are active."""
    active = (await session.scalars(select(_c.active).where(_c.id != except_id))).all()
    return len(active), sum(active)


async def any_asks_facts(session: ReadSession) -> bool:
    """Whether an active rule may name what orders, deals or tickets come to. Holds nobody up, and may be outdated at once."""
    named = or_(*(cast(_c.where, Text).contains(f'"{kind}.') for kind in KINDS))
    return bool(await session.scalar(select(exists().where(_c.active, named))))


async def evaluation(session: ReadSession) -> Mapping[str, Any] | None:
    """How far it has come, by its timer; None where none goes on."""
    payload: Mapping[str, Any] | None = await session.scalar(select(TIMER.c.payload).where(TIMER.c.kind == EVALUATION))
    return payload


async def page_of_contacts(session: ReadSession, after: str) -> Sequence[ContactRow]:
    statement = select(ContactRow).where(_contact.id > after).order_by(_contact.id).limit(PAGE)
    return (await session.scalars(statement)).all()


async def lock_contacts(session: WriteSession, contact_ids: Collection[str]) -> Sequence[ContactRow]:
    """Those that are there, in one order, waiting for whoever has one."""
    ids = literal(sorted(contact_ids), ARRAY(Text()))
    statement = select(ContactRow).where(_contact.id == any_(ids)).order_by(_contact.id).with_for_update()
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def lock_due(session: WriteSession, now: datetime) -> Sequence[ContactRow]:
    """Those that have waited longest, of which nobody else has locked one."""
    statement = select(ContactRow).where(_contact.rules_due_at <= now).order_by(_contact.rules_due_at).limit(PAGE)
    statement = statement.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    return (await session.scalars(statement)).all()


async def next_due(session: ReadSession) -> datetime | None:
    found: datetime | None = await session.scalar(
        select(_contact.rules_due_at).where(_contact.rules_due_at.is_not(None)).order_by(_contact.rules_due_at).limit(1)
    )
    return found
