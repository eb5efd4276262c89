"""Records of another service, of which this one keeps copies: whom they are seen by (`crm_kit.rights.copies`)."""

from collections.abc import Collection
from functools import partial

from crm_contracts.sensitivity import Sensitivity
from sqlalchemy import ColumnElement, false, select, true

from crm_kit.conditions import FieldSet
from crm_kit.db.session import ReadSession
from crm_kit.errors import NotFound, Text
from crm_kit.resources.access import condition_of, distance, forbidden, reached_by
from crm_kit.rights import EVERYTHING, NOTHING, Level, RecordRights
from crm_kit.rights.ownership import COPIES
from crm_kit.rights.tables import RECORD_OWNER

_c = RECORD_OWNER.c


async def copy_levels(session: ReadSession, resource: str, ids: Collection[str]) -> dict[str, Level]:
    """How near these records of a resource are, of those that the caller may see, if only under a condition."""
    sights = session.sights
    if sights is None:
        return dict.fromkeys(ids, "own")
    mine = sights.rights.on(resource)
    levels = [level for level in mine.levels if mine.at_most(level).is_seen]
    if not ids or not levels:
        return {}
    if levels == ["all"]:
        return dict.fromkeys(ids, "all")
    near = distance(COPIES, sights, levels, "read").label("near")
    rows = (await session.execute(select(_c.id, near).where(_c.id.in_(ids)))).mappings()
    found: dict[str, Level] = {row["id"]: row["near"] for row in rows if row["near"] is not None}
    return {**dict.fromkeys(ids, "all"), **found} if "all" in levels else found


async def rights_to_copy(session: ReadSession, resource: str, record_id: str) -> RecordRights:
    """Raises NotFound where it is not seen; a grant with a condition does not count, since a copy does not tell of it."""
    if session.sights is None:
        return EVERYTHING
    level = (await copy_levels(session, resource, [record_id])).get(record_id)
    rights = session.sights.rights.on(resource).at(level) if level is not None else NOTHING
    if not rights.is_seen:
        raise NotFound(Text("There is nothing that you may see.", "不存在可见的对象。"))
    return rights


def copies_reached(
    session: ReadSession,
    resource: str,
    column: ColumnElement[str],
    fields: FieldSet,
    sensitivity: Sensitivity | None = None,
) -> ColumnElement[bool]:
    """The rows whose `column` is the id of a record of the resource that the caller sees; `fields`: what the rows tell
    of it. With a `sensitivity`: and sees members of it in clear. Raises Forbidden where nothing is seen.
    """
    if session.sights is None:
        return true()
    rights = session.sights.rights
    reaches = rights.on(resource).reading(sensitivity)
    if not reaches:
        if sensitivity is not None:
            return false()
        raise forbidden(f"{resource}:read")

    def near(level: Level) -> ColumnElement[bool]:
        return true() if level == "all" else column.in_(select(_c.id).where(COPIES.reached(level, rights)))

    return reached_by(reaches, near, partial(condition_of, fields=fields))
