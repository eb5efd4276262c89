"""Why a contact has its tags, and whom a rule would tag; of both no more than who asks may see.

Of orders, deals and tickets this service knows what they come to for each contact, and not whose each of them is. Who reaches a
contact reaches what belongs to it (their `ownership`, in their services): so what they come to is shown to who may read them, of
contacts within the level for which they may.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from crm_contracts.ids import TagRuleId
from crm_contracts.types import Timestamp
from crm_kit.conditions import Field, comparisons_in, evaluate, named_fields, reasons
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.resources import Resource, Walk, access
from crm_kit.rights import Level
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_, true

from contacts_svc.features.contacts.models import CONTACT_OWNERSHIP, ContactRow
from contacts_svc.features.contacts.repository import TAG_FIELDS, TAG_RULES
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.facts.repository import facts_by_contact
from contacts_svc.features.tag_reasons.repository import lies_within
from contacts_svc.features.tag_reasons.rules import spelled
from contacts_svc.features.tag_reasons.schemas import ContactTag, ContactTags, TagReason, TagRulePreview
from contacts_svc.features.tagging.repository import tag_fields
from contacts_svc.features.tagging.rules import ActiveTagRule, kind_of, own_tags

_TAGGED: Final[Resource[Any, Any, Any]] = replace(CONTACTS, fields=TAG_FIELDS, left_out=None)
"""Contacts with what rules can ask of them. The archived are tagged as all others are."""

_SAMPLE: Final = 10
_moment: Final = TypeAdapter[Any](Timestamp)


async def readable(session: ReadSession, caller: Principal, tested: Collection[Field]) -> ColumnElement[bool]:
    """The contacts of which the caller may read these fields, facts among them. Raises Forbidden where that is none."""
    require(caller, f"{CONTACTS.permission}:read")
    reached = [await access.reached(session, _TAGGED, [field for field in tested if kind_of(field.name) is None])]
    for field in tested:
        if (kind := kind_of(field.name)) is not None:
            level = _level(session, caller, kind, field)
            if level is None:
                raise access.forbidden(f"{kind}:read")
            if session.sights is not None:
                reached.append(CONTACT_OWNERSHIP.reached(level, session.sights.rights))
    return and_(true(), *reached)


def _level(session: ReadSession, caller: Principal, kind: str, field: Field) -> Level | None:
    """How far a contact may lie from the caller so that they read this of what belongs to it."""
    if not caller.may(f"{kind}:read"):
        return None
    if session.sights is None:
        return "all"
    # Without grants that hang on a condition: of which orders it holds nobody here knows.
    return session.sights.rights.on(kind).widest("read", [_TAGGED.sensitivity_of(field)])


async def preview(
    session: WriteSession, where: Mapping[str, object], time_zone: str, caller: Principal
) -> TagRulePreview:
    """Raises ValidationFailed, Forbidden."""
    now = utc_now().astimezone(ZoneInfo(time_zone))
    walk = await Walk.of(session, _TAGGED, where, (), now)
    fields = await tag_fields(session, ContactRow, TAG_FIELDS)
    tested = [field for name in named_fields(where) if (field := fields.get(name)) is not None]
    mine = walk.statement.where(await readable(session, caller, tested), ~ContactRow.__table__.c.restricted)  # type: ignore[attr-defined]  # SQLAlchemy adds it
    walk = replace(walk, statement=mine)
    page = await walk.page(session, None, _SAMPLE)
    return TagRulePreview(found=await walk.size(session), sample=[CONTACTS.events.snapshot(row) for row in page.rows])


async def tags_of(session: ReadSession, contact_id: str, caller: Principal) -> ContactTags:
    """Raises NotFound."""
    row = await CONTACTS.get(session, contact_id)
    rights = session.sights.of(row.id) if session.sights is not None else None
    if rights is not None and not rights.reads("open"):
        return ContactTags(data=[])
    rules = {rule.id: rule for rule in await session.known(TAG_RULES)}
    holding: Mapping[str, Any] = row.rule_tags.get("rules", {})
    facts = (await facts_by_contact(session, [row.id]))[row.id]
    record = {**row.model_dump(), **facts}
    shown = await _shown(session, row.id, caller, [rules[id_] for id_ in holding if id_ in rules])
    data = [_by_person(tag) for tag in own_tags(row.tags, row.rule_tags)]
    for id_, held in sorted(holding.items(), key=lambda item: (item[1]["tag"], item[1]["since"], item[0])):
        rule = rules.get(id_)
        data.append(
            ContactTag(
                tag=held["tag"],
                by="rule",
                rule_id=TagRuleId(id_),
                name=rule.name if rule is not None else None,
                since=_moment.validate_python(held["since"]),
                taken=held.get("taken", False),
                why=list(_why(rule, record, shown)) if rule is not None else [],
            )
        )
    return ContactTags(data=data)


def _by_person(tag: str) -> ContactTag:
    return ContactTag(tag=tag, by="person", rule_id=None, name=None, since=None, taken=False, why=[])


async def _shown(
    session: ReadSession, contact_id: str, caller: Principal, rules: Collection[ActiveTagRule]
) -> Callable[[Field], bool]:
    """Which of the fields that the rules name the caller reads of the contact."""
    fields = {test.field.name: test.field for rule in rules for test in comparisons_in(rule.condition)}
    levels: dict[Level, bool] = {}
    sights = session.sights
    rights = sights.of(contact_id) if sights is not None else None
    reads = {}
    for name, field in fields.items():
        kind = kind_of(name)
        if kind is None:
            reads[name] = rights is None or name == "id" or rights.reads(_TAGGED.sensitivity_of(field))
            continue
        level = _level(session, caller, kind, field)
        if level is not None and sights is not None and level not in levels:
            levels[level] = await lies_within(session, contact_id, level, sights.rights)
        reads[name] = level is not None and levels.get(level, True)
    return lambda field: reads[field.name]


def _why(rule: ActiveTagRule, record: Mapping[str, Any], shown: Callable[[Field], bool]) -> Iterator[TagReason]:
    """By what the contact has now, which is what the rule holds by."""
    now = utc_now().astimezone(rule.time_zone)
    holds = evaluate(rule.condition, record, now=now)
    for test, is_so in reasons(rule.condition, record, now=now, holds=holds):
        if not shown(test.field):
            yield TagReason(field=test.field.name, op=None, value=None, actual=None, negated=None, hidden=True)
            continue
        yield TagReason(
            field=test.field.name,
            op=test.op.value,
            value=spelled(test.value),
            actual=spelled(test.field.in_document(record)),
            negated=not is_so,
            hidden=False,
        )
