"""Every statement on backfills."""

from datetime import datetime
from typing import Any, Final

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import select

from gateway.features.inbound_backfills.models import InboundBackfillRow

_c = columns(InboundBackfillRow)
_OPEN: Final = ("pending", "running")
_LOOKED_BACK: Final = 50
_KEPT: Final = 200
"""Scheduled runs of a source: of the last days, where it is asked every hour."""

_FORGET: Final = Sql(
    "delete from inbound_backfill where source_id = :source_id and trigger = 'scheduled' and id <= ("
    "select id from inbound_backfill where source_id = :source_id and trigger = 'scheduled'"
    " order by id desc offset cast(:kept as int) limit 1)"
)


async def lock(session: WriteSession, backfill_id: str) -> InboundBackfillRow | None:
    statement = select(InboundBackfillRow).where(_c.id == backfill_id).with_for_update()
    row: InboundBackfillRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def going_on(session: ReadSession, source_id: str) -> str | None:
    """The id of the source's run that has not ended."""
    found: str | None = await session.scalar(select(_c.id).where(_c.source_id == source_id, _c.status.in_(_OPEN)))
    return found


async def marks(session: ReadSession, source_id: str) -> dict[str, datetime]:
    """By resource, before when all that was modified at the shop is here."""
    where = (_c.source_id == source_id, _c.status == "succeeded")
    statement = select(_c.places).where(*where).order_by(_c.id.desc()).limit(_LOOKED_BACK)
    found: dict[str, Any] = {}
    for places in await session.scalars(statement):
        for place in places:
            if place["mark"] is not None:
                found.setdefault(place["resource"], datetime.fromisoformat(place["mark"]))
    return found


async def forget_old(session: WriteSession, source_id: str) -> None:
    """Scheduled runs, beyond the newest; what they came to stands in the deliveries."""
    await session.fetch(_FORGET, {"source_id": source_id, "kept": _KEPT})
