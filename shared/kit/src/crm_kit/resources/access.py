"""What the caller may do with a resource's records: the one place that all of its operations ask."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crm_contracts.ids import prefix_of
from crm_contracts.sensitivity import ALWAYS_SHOWN, classes_of
from sqlalchemy import ColumnElement, and_, case, exists, literal, null, or_, select, true

from crm_kit.conditions import AllOf, AnyOf, CheckedCondition, Comparison, Field, Not
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.errors import Conflict, FieldError, Forbidden, Text
from crm_kit.http.problems import json_pointer
from crm_kit.rights import EVERYTHING, Action, Level, Ownership, RecordRights, ResourceRights, Sights

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
            sights.note(entity_id, EVERYTHING)
        return frozenset(ids)
    mine = sights.rights.on(resource.permission)
    allowed = set()
    for entity_id, seen, done in await _distances(session, sights, resource, ids, action):
        if seen is None or not (rights := mine.at(seen)).is_seen:
            continue
        sights.note(entity_id, rights)
        if done is not None and action in mine.at(done).actions:
            allowed.add(entity_id)
    return frozenset(allowed)


async def _distances(
    session: ReadSession, sights: Sights, resource: Resource[Any, Any, Any], ids: Collection[str], action: Action
) -> list[tuple[str, Level | None, Level | None]]:
    """Of each record the least level that reaches it for reading, and for the action."""
    levels = sights.rights.on(resource.permission).levels
    if not ids or not levels:
        return []
    if levels == ("all",):
        return [(entity_id, "all", "all") for entity_id in ids]
    c = columns(resource.row)
    asked = [distance(resource.ownership, sights, levels, each) for each in dict.fromkeys(("read", action))]
    rows: Sequence[Any] = (await session.execute(select(c.id, *asked).where(c.id.in_(ids)))).all()
    return [(row[0], row[1], row[-1]) for row in rows]


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
    found = await _distances(session, sights, resource, [entity_id], action)
    seen, done = next(((seen, done) for _, seen, done in found), (None, None))
    if done is None and await _is_ahead(session, resource, entity_id):
        seen = done = "own"
    if done is None or action not in mine.at(done).actions:
        raise forbidden(f"{resource.permission}:{action}")
    rights = mine.at(done)
    sights.note(entity_id, mine.at(seen or done))
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
    resource: Resource[Any, Any, Any], rights: RecordRights | None, action: Action, members: Collection[str]
) -> None:
    """Raises Forbidden, which points at the members that the caller may not write. None: rights to everything.

    It counts that a member was sent, not whether it differs: otherwise who may not see it could guess it.
    """
    if rights is None:
        return
    classes = classes_of(resource.read)  # type: ignore[arg-type]  # a class is hashable
    written = rights.written.get(action, frozenset())
    refused = [name for name in members if (classes[name].sensitivity if name in classes else "open") not in written]
    if refused:
        text = Text("You may not write this", "无权写入此字段")
        raise Forbidden(
            Text(f"You may not write {', '.join(refused)}.", f"无权写入：{'、'.join(refused)}。"),
            errors=[FieldError(json_pointer([name]), "not_writable", text) for name in refused],
            members={"missing_permission": f"{resource.permission}.{refused[0]}:write"},
        )


def reached(session: ReadSession, resource: Resource[Any, Any, Any], fields: Iterable[Field]) -> ColumnElement[bool]:
    """The rows that a list may show which filters and sorts by these fields: those of which the caller reads them all.

    Raises Forbidden where that is none: by an order, or by what a filter leaves, a member can be guessed.
    """
    sights = session.sights
    if sights is None or resource.is_administered("read"):
        return true()
    mine: ResourceRights = sights.rights.on(resource.permission)
    by_class = {resource.sensitivity_of(field): field.name for field in fields if field.name not in ALWAYS_SHOWN}
    level = mine.widest("read", by_class.keys())
    if level is None:
        if mine.widest("read") is None:
            raise forbidden(f"{resource.permission}:read")
        hidden = sorted(name for each, name in by_class.items() if mine.widest("read", [each]) is None)
        raise Forbidden(
            Text(
                f"You may not filter or sort by {', '.join(hidden)}.",
                f"无权按以下字段筛选或排序：{'、'.join(hidden)}。",
            ),
            members={"missing_permission": f"{resource.permission}.{(hidden or list(by_class.values()))[0]}:read"},
        )
    return resource.ownership.reached(level, sights.rights)


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


def fields_in(condition: CheckedCondition | None) -> Iterator[Field]:
    """The fields that a condition names."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from fields_in(part)
        case Not(part):
            yield from fields_in(part)
        case Comparison(field):
            yield field


def forbidden(permission: str) -> Forbidden:
    """For who holds it on other records only."""
    return Forbidden(
        Text(f"Your permission {permission!r} does not reach this.", f"您的权限 {permission!r} 不涵盖此对象。"),
        members={"missing_permission": permission},
    )
