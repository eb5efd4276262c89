"""What can be done with an inbound delivery, and how it ends."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from crm_contracts.types import MAX_INTEGER
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.resources import access
from sqlalchemy import select

from gateway.features.inbound_deliveries import repository
from gateway.features.inbound_deliveries.errors import NotParked, PayloadGone
from gateway.features.inbound_deliveries.gauge import ENDED
from gateway.features.inbound_deliveries.models import InboundDeliveryRow
from gateway.features.inbound_deliveries.schemas import DeliveryStatus, InboundPayload, Rerun, RerunWhich
from gateway.features.inbound_deliveries.work import Json, Results
from gateway.features.inbound_sources import repository as sources

_c = columns(InboundDeliveryRow)
_MOST_TOLD: Final = 100
_MAX_DETAIL: Final = 1_000


@dataclass(frozen=True, slots=True)
class Ending:
    """How a delivery ended, or how far it has come where `is_over` is False."""

    status: DeliveryStatus
    reason: str | None = None
    detail: str | None = None
    planned: int | None = None
    written: int | None = None
    faults: list[Json] = field(default_factory=list)
    refs: list[Json] = field(default_factory=list)
    contact_ids: frozenset[str] = frozenset()
    external_id: str | None = None
    is_over: bool = True

    @classmethod
    def of(cls, results: Results, row: Mapping[str, Any], planned: int, written: int, is_last: bool) -> "Ending":
        faults = [*row["faults"], *results.faults]
        told = [one["external_id"] for one in results.refs if one["external_id"]]
        status: DeliveryStatus = "received"
        reason = None
        if is_last:
            outcomes = {one["outcome"] for one in [*row["refs"], *results.refs]}
            status = "parked" if faults else "done"
            reason = faults[0]["code"] if faults else None
            if not faults and outcomes and outcomes <= {"stale"}:
                status, reason = "ignored", "stale"
        return cls(
            status=status,
            reason=reason,
            planned=planned,
            written=written,
            faults=faults[:_MOST_TOLD],
            refs=[*row["refs"], *results.refs][:_MOST_TOLD],
            contact_ids=frozenset(results.contact_ids),
            external_id=row["external_id"] or (told[-1] if told else None),
            is_over=is_last,
        )

    @property
    def waits_for_reference(self) -> bool:
        """Nothing is wrong with it but that something else has not come yet."""
        return self.is_over and bool(self.faults) and all(one["code"] == "reference_missing" for one in self.faults)


async def conclude(session: WriteSession, delivery_id: str, ending: Ending, again_at: datetime | None = None) -> None:
    """Writes it down; nothing where the delivery is gone. `again_at`: it is begun once more then."""
    row = await locked(session, delivery_id)
    if row is None or row.due_at is None:
        return
    now = await session.now()
    if ending.planned is not None:
        row.planned, row.written = ending.planned, ending.written or 0
    row.faults, row.refs = list(ending.faults), list(ending.refs)
    row.contact_ids = sorted({*row.contact_ids, *ending.contact_ids})
    row.external_id = row.external_id or ending.external_id
    row.reason, row.detail = ending.reason, (ending.detail or "")[:_MAX_DETAIL] or None
    if again_at is not None:
        row.written, row.faults, row.refs, row.due_at = 0, [], [], again_at
    elif not ending.is_over:
        row.due_at, row.attempts = now, 0
    else:
        row.status, row.due_at, row.processed_at = ending.status, None, now
        ENDED.labels(ending.status).inc()
    row.version = min(row.version + 1, MAX_INTEGER)
    row.updated_at = now


async def locked(session: WriteSession, delivery_id: str) -> InboundDeliveryRow | None:
    statement = select(InboundDeliveryRow).where(_c.id == delivery_id).with_for_update()
    row: InboundDeliveryRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def rerun_delivery(session: WriteSession, row: InboundDeliveryRow) -> None:
    """Begins it anew; what it has done already it does not do twice. Raises NotParked, PayloadGone."""
    if row.due_at is not None:
        raise NotParked
    if await repository.payload(session, row.id) is None:
        raise PayloadGone
    row.status, row.reason, row.detail = "received", None, None
    row.runs, row.attempts, row.written, row.planned = row.runs + 1, 0, 0, None
    row.faults, row.refs, row.processed_at = [], [], None
    row.due_at = row.updated_at = await session.now()
    row.version += 1


async def rerun_parked(session: WriteSession, which: RerunWhich) -> Rerun:
    """Raises ValidationFailed where there is no such source."""
    if not await sources.exists(session, which.source_id):
        text = Text("There is no such inbound source", "不存在该入站来源")
        raise ValidationFailed(text, errors=[FieldError("/source_id", "not_found", text)])
    found = await repository.rerun(session, which.source_id, which.reason, which.topic, which.limit)
    return Rerun(count=len(found))


async def payload_of(session: ReadSession, row: InboundDeliveryRow) -> InboundPayload:
    """For who sees all of it. Raises Forbidden, PayloadGone."""
    sights = session.sights
    if sights is not None and not ((rights := sights.of(row.id)) and rights.is_clear):
        raise access.forbidden("inbound-deliveries:read")
    found = await repository.payload(session, row.id)
    if found is None:
        raise PayloadGone
    encoding, body = readable(found["body"])
    return InboundPayload.model_validate(
        {"content_type": found["content_type"], "headers": found["headers"], "encoding": encoding, "body": body}
    )


def readable(body: bytes) -> tuple[str, str]:
    """As JSON can hold it."""
    try:
        text = body.decode("utf-8")
        orjson.dumps(text)
    except (UnicodeDecodeError, TypeError):
        return "base64", base64.b64encode(body).decode()
    return "utf-8", text
