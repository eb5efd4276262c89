"""Records of another service, of which this one keeps copies: whom they are seen by (`crm_kit.rights.copies`)."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, select, true

from crm_kit.db.session import ReadSession
from crm_kit.errors import NotFound, Text
from crm_kit.resources.access import distance, forbidden
from crm_kit.rights import EVERYTHING, Level, RecordRights
from crm_kit.rights.ownership import COPIES
from crm_kit.rights.tables import RECORD_OWNER

_c = RECORD_OWNER.c


async def copy_levels(session: ReadSession, resource: str, ids: Collection[str]) -> dict[str, Level]:
    """How near these records of a resource are, of those that the caller sees."""
    sights = session.sights
    if sights is None:
        return dict.fromkeys(ids, "own")
    mine = sights.rights.on(resource)
    levels = [level for level in mine.levels if mine.at(level).is_seen]
    if not ids or not levels:
        return {}
    if levels == ["all"]:
        return dict.fromkeys(ids, "all")
    near = distance(COPIES, sights, levels, "read").label("near")
    rows = (await session.execute(select(_c.id, near).where(_c.id.in_(ids)))).mappings()
    found: dict[str, Level] = {row["id"]: row["near"] for row in rows if row["near"] is not None}
    return {**dict.fromkeys(ids, "all"), **found} if "all" in levels else found


async def rights_to_copy(session: ReadSession, resource: str, record_id: str) -> RecordRights:
    """Raises NotFound where it is not seen."""
    level = (await copy_levels(session, resource, [record_id])).get(record_id)
    if level is None:
        raise NotFound(Text("There is nothing that you may see.", "不存在可见的对象。"))
    return EVERYTHING if session.sights is None else session.sights.rights.on(resource).at(level)


def copies_reached(session: ReadSession, resource: str, column: ColumnElement[str]) -> ColumnElement[bool]:
    """The rows whose `column` is the id of a record of the resource that the caller sees. Raises Forbidden."""
    sights = session.sights
    level = sights.rights.on(resource).widest("read") if sights is not None else "all"
    if level is None:
        raise forbidden(f"{resource}:read")
    if sights is None or level == "all":
        return true()
    return column.in_(select(_c.id).where(COPIES.reached(level, sights.rights)))
