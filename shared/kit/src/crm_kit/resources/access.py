"""What the caller may do with a resource's records: the one place that all of its operations ask."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from crm_contracts.ids import prefix_of
from crm_contracts.sensitivity import ALWAYS_SHOWN, PRIVATE, classes_of
from sqlalchemy import ColumnElement, and_, case, exists, false, literal, null, or_, select, true

from crm_kit.conditions import Field, FieldSet, InvalidCondition, compile_condition, named_fields, parse
from crm_kit.db.models import columns, utc_now
from crm_kit.db.session import ReadSession
from crm_kit.errors import Conflict, FieldError, Forbidden, Text
from crm_kit.http.problems import json_pointer
from crm_kit.resources.schemas import Inspection
from crm_kit.rights import CUSTOM, EVERYTHING, Action, Level, Ownership, RecordRights, Sights
from crm_kit.rights.grants import UNCONDITIONED, Grant, Holding, Reach

if TYPE_CHECKING:
    from crm_kit.resources.resource import Resource


async def look_at(
    session: ReadSession, resource: Resource[Any, Any, Any], ids: Collection[str], action: Action = "read"
) -> frozenset[str]:
    """Notes what the caller sees of these records, which exist; answers those of them that the action may be done to.

    A record that is not seen is not noted.
    """
    sights = session.sights
    if sights is None:
        return frozenset(ids)
    if resource.is_administered(action) and sights.rights.admin:
        for entity_id in ids:
            sights.note(entity_id, EVERYTHING, EVERYTHING)
        return frozenset(ids)
    mine = sights.rights.on(resource.permission)
    allowed = set()
    for place in await _places(session, sights, resource, ids, action):
        if place.seen is None or not (rights := mine.at(place.seen, place.holding)).is_seen:
            continue
        changing = mine.at(place.done, place.holding) if place.done is not None else None
        sights.note(place.id, rights, changing)
        if changing is not None and action in changing.actions:
            allowed.add(place.id)
    await _tell_declared(session, resource)
    return frozenset(allowed)


async def _tell_declared(session: ReadSession, resource: Resource[Any, Any, Any]) -> None:
    """What is shown of custom fields is decided one by one."""
    if session.sights is not None and resource.custom is not None:
        session.sights.declare(resource.read, (await resource.declared(session)).classes)


async def inspect(
    session: ReadSession, resource: Resource[Any, Any, Any], entity_id: str, action: Action
) -> Inspection | None:
    """How a record lies to the caller, by what every request asks; None where there is none.

    A caller without rights of their own reaches everything; the conditions are numbered as in `ResourceRights.conditioned`.
    """
    c = columns(resource.row)
    if await session.scalar(select(c.id).where(c.id == (entity_id if prefix_of(entity_id) else ""))) is None:
        return None
    sights = session.sights
    if sights is None or (resource.is_administered(action) and sights.rights.admin):
        return Inspection(seen="own", reached="own", holding=[])
    for place in await _places(session, sights, resource, [entity_id], action):
        return Inspection(seen=place.seen, reached=place.done, holding=sorted(place.holding))
    return Inspection(seen=None, reached=None, holding=[])


class _Place(NamedTuple):
    """Of a record the least level that reaches it for reading, and for an action, and which grants' conditions hold."""

    id: str
    seen: Level | None
    done: Level | None
    holding: Holding


async def _places(
    session: ReadSession, sights: Sights, resource: Resource[Any, Any, Any], ids: Collection[str], action: Action
) -> list[_Place]:
    mine = sights.rights.on(resource.permission)
    if not ids or not mine.levels:
        return []
    if mine.levels == ("all",) and not mine.conditioned:
        return [_Place(entity_id, "all", "all", UNCONDITIONED) for entity_id in ids]
    c = columns(resource.row)
    asked = [distance(resource.ownership, sights, mine.levels, each) for each in dict.fromkeys(("read", action))]
    fields = await _condition_fields(session, resource, mine.conditioned)
    conditions = [holds(resource, grant, fields) for grant in mine.conditioned]
    rows: Sequence[Any] = (await session.execute(select(c.id, *asked, *conditions).where(c.id.in_(ids)))).all()
    return [
        _Place(row[0], row[1], row[len(asked)], frozenset(n for n, held in enumerate(row[len(asked) + 1 :]) if held))
        for row in rows
    ]


def condition_of(grant: Grant, fields: FieldSet) -> ColumnElement[bool]:
    """A grant's condition over these fields; one that speaks of others, as of another release, holds nowhere."""
    try:
        return compile_condition(parse(grant.where, fields), now=utc_now())
    except (InvalidCondition, ValueError):
        return false()


async def _condition_fields(
    session: ReadSession, resource: Resource[Any, Any, Any], conditioned: Iterable[Grant]
) -> FieldSet:
    """What the conditions of grants may name: fields of the resource; of a part, those of the whole."""
    about = resource.within.resource if resource.within is not None else resource
    fields: FieldSet = await about.fields_in(
        session, (name for grant in conditioned for name in named_fields(grant.where))
    )
    return fields


def holds(resource: Resource[Any, Any, Any], grant: Grant, fields: FieldSet) -> ColumnElement[bool]:
    """Where a grant's condition holds; of a part, where it holds for the whole."""
    condition = condition_of(grant, fields)
    if resource.within is None:
        return condition
    return resource.within.column.in_(select(columns(resource.within.resource.row).id).where(condition))


def distance(ownership: Ownership, sights: Sights, levels: Iterable[Level], action: Action) -> ColumnElement[Any]:
    return case(*((ownership.reached(level, sights.rights, action), literal(level)) for level in levels), else_=null())


async def check_created(
    session: ReadSession, resource: Resource[Any, Any, Any], entity_id: str, action: Action = "create"
) -> RecordRights | None:
    """What holds for a record that the caller has just written for the first time. Raises Forbidden.

    What it belongs to may be ahead of its events: until these have come nobody knows whose it is, and it is its creator's.
    """
    sights = session.sights
    if sights is None:
        return None
    if resource.is_administered(action) and sights.rights.admin:
        sights.note(entity_id, EVERYTHING)
        return EVERYTHING
    mine = sights.rights.on(resource.permission)
    found = await _places(session, sights, resource, [entity_id], action)
    _, seen, done, holding = found[0] if found else _Place(entity_id, None, None, UNCONDITIONED)
    if done is None and await _is_ahead(session, resource, entity_id):
        seen = done = "own"
    if done is None or action not in (rights := mine.at(done, holding)).actions:
        raise forbidden(f"{resource.permission}:{action}")
    sights.note(entity_id, mine.at(seen or done, holding))
    await _tell_declared(session, resource)
    return rights


async def _is_ahead(session: ReadSession, resource: Resource[Any, Any, Any], entity_id: str) -> bool:
    """Whether it belongs to something that this service does not know."""
    unknown = [
        and_(each.column.is_not(None), ~exists().where(each.owned.id == each.column))
        for each in resource.ownership.through
        if each.owned.id is not None
    ]
    c = columns(resource.row)
    return bool(unknown) and await session.scalar(select(c.id).where(c.id == entity_id, or_(*unknown))) is not None


def check_written(
    session: ReadSession,
    resource: Resource[Any, Any, Any],
    rights: RecordRights | None,
    action: Action,
    members: Mapping[str, Any],
) -> None:
    """Raises Forbidden, which points at the members that the caller may not write. None: rights to everything.

    It counts that a member was sent, not whether it differs: otherwise who may not see it could guess it. Custom fields that
    are declared count one by one.
    """
    if rights is None or session.sights is None:
        return
    classes = {**classes_of(resource.read)}  # type: ignore[arg-type]  # a class is hashable
    names = list(members)
    if CUSTOM in members and (declared := session.sights.declared(resource.read)):
        sent = members[CUSTOM]
        inner = sent if isinstance(sent, Mapping) else declared  # null clears all of them
        classes |= {f"{CUSTOM}.{name}": declared.get(name, PRIVATE) for name in inner}
        names = [name for name in names if name != CUSTOM or sent is None] + [f"{CUSTOM}.{name}" for name in inner]
    written = rights.written.get(action, frozenset())
    refused = [name for name in names if (classes[name].sensitivity if name in classes else "open") not in written]
    if refused:
        text = Text("You may not write this", "无权写入此字段")
        raise Forbidden(
            Text(f"You may not write {', '.join(refused)}.", f"无权写入：{'、'.join(refused)}。"),
            errors=[FieldError(json_pointer(name.split(".")), "not_writable", text) for name in refused],
            members={"missing_permission": f"{resource.permission}.{refused[0]}:write"},
        )


async def reached(
    session: ReadSession, resource: Resource[Any, Any, Any], tested: Iterable[Field]
) -> ColumnElement[bool]:
    """The rows that a list may show which filters and sorts by these fields: those of which the caller reads them all.

    Raises Forbidden where that is none: by an order, or by what a filter leaves, a member can be guessed.
    """
    sights = session.sights
    if sights is None or resource.is_administered("read"):
        return true()
    mine = sights.rights.on(resource.permission)
    by_class = {resource.sensitivity_of(field): field.name for field in tested if field.name not in ALWAYS_SHOWN}
    grants = {each: mine.reading(each) for each in by_class or (None,)}
    if not all(grants.values()):
        if not mine.reading(None):
            raise forbidden(f"{resource.permission}:read")
        raise _not_by(resource, sorted(by_class[each] for each, found in grants.items() if each and not found))
    fields = await _condition_fields(session, resource, mine.conditioned)
    near, condition = partial(resource.ownership.reached, rights=sights.rights), partial(holds, resource, fields=fields)
    return and_(*(reached_by(found, near, condition) for found in dict.fromkeys(grants.values())))


def reached_by(
    reaches: Iterable[Reach],
    near: Callable[[Level], ColumnElement[bool]],
    condition: Callable[[Grant], ColumnElement[bool]],
) -> ColumnElement[bool]:
    """What lies within one of the reaches: near enough, and such that the grant's condition holds."""
    return or_(*(near(level) if grant is None else and_(near(level), condition(grant)) for level, grant in reaches))


def _not_by(resource: Resource[Any, Any, Any], hidden: Sequence[str]) -> Forbidden:
    names = ", ".join(hidden)
    return Forbidden(
        Text(f"You may not filter or sort by {names}.", f"无权按以下字段筛选或排序：{'、'.join(hidden)}。"),
        members={"missing_permission": f"{resource.permission}.{hidden[0]}:read"},
    )


async def findable(
    session: ReadSession, resource: Resource[Any, Any, Any], field: Field | None, ids: Sequence[str]
) -> Sequence[str]:
    """Of the records that were found by a field, those that the caller sees, and that field of them."""
    sights = session.sights
    if sights is None:
        return ids
    await look_at(session, resource, ids)
    sensitivity = resource.sensitivity_of(field) if field is not None else "private"
    return [id_ for id_ in ids if (rights := sights.of(id_)) is not None and rights.reads(sensitivity)]


async def discreet(session: ReadSession, resource: Resource[Any, Any, Any], conflict: Conflict) -> Conflict:
    """The conflict, without naming a record that the caller does not see. That there is one cannot be kept back."""
    sights = session.sights
    named = {str(value) for value in conflict.members.values() if prefix_of(str(value)) == resource.singular}
    if sights is None or not named:
        return conflict
    await look_at(session, resource, named)
    return conflict if all(sights.of(entity_id) for entity_id in named) else type(conflict)()


def forbidden(permission: str) -> Forbidden:
    """For who holds it on other records only."""
    return Forbidden(
        Text(f"Your permission {permission!r} does not reach this.", f"您的权限 {permission!r} 不涵盖此对象。"),
        members={"missing_permission": permission},
    )
