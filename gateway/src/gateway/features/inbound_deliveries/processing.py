"""One delivery, from what was sent to what it became: a page of its records at a time, so that what is killed goes on."""

import asyncio
import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, cast

import structlog
from crm_contracts.ids import InboundDeliveryId, InboundSourceId, SyncConflictId
from crm_contracts.inbound import InboundSource, SourceKind, contact_of
from crm_kit import context
from crm_kit.db.session import Database, WriteSession
from crm_kit.http.origin import chain_returned
from crm_kit.http.principal import Principal
from crm_kit.inbox.applying import is_transient
from crm_kit.observability import tracing
from prometheus_client import Counter
from starlette.datastructures import Headers

from gateway.features.inbound_deliveries import repository
from gateway.features.inbound_deliveries.calling import Calls, RecordRefused, TryLater
from gateway.features.inbound_deliveries.digests import Digests
from gateway.features.inbound_deliveries.persons import AmbiguousPerson
from gateway.features.inbound_deliveries.repository import LEASE, Applied, AppliedKey
from gateway.features.inbound_deliveries.usecases import Ending, conclude
from gateway.features.inbound_deliveries.work import Results, Work
from gateway.features.inbound_deliveries.writing import ERASED, DecisionNeeded, ReferenceMissing, applied_keys, write
from gateway.features.inbound_sources.usecases import own_mappings, told_of
from gateway.features.sync_conflicts.events import SYNC_CONFLICT_EVENTS
from gateway.features.sync_conflicts.models import SyncConflictRow
from gateway.inbound.mappings import MappingFailed, Planned, TopicMapping, keys_of, mapping_of, plan
from gateway.inbound.payloads import UnreadablePayload, read_payload
from gateway.inbound.ready import ready_mappings
from gateway.inbound.topics import NO_TOPIC, is_creation, topic_of
from gateway.upstream import ServiceClient

_PAGE: Final = 20
_TIE_DIGITS: Final = 8
"""So few that a payload cannot be told by them; the same wherever it comes to."""

_TRIES: Final = 8
_SOURCES_KEPT: Final = 1_000
_BUSY: Final = timedelta(milliseconds=150)
_WAITING_FOR: Final = (timedelta(seconds=2), timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5))
"""For what a record refers to; then it is parked."""

_LONGEST_PAUSE: Final = timedelta(minutes=5)
_GIVING_UP: Final = timedelta(days=3)
_WORK_SECONDS: Final = LEASE.total_seconds() - 5
_PAGE_SECONDS: Final = 8.0
"""Where the services are slow, a page is shorter."""

DELIVERIES_FAILED = Counter("crm_inbound_deliveries_failed_total", "Attempts at a delivery that failed unforeseen")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Processor:
    """Of one process."""

    database: Database
    client: ServiceClient
    digests: Digests
    own: dict[str, tuple[int, Mapping[str, TopicMapping] | None]] = field(default_factory=dict)

    async def process(
        self, tenant_id: str, region: str, source: InboundSource, others: Mapping[str, set[str]], row: Mapping[str, Any]
    ) -> None:
        """Never raises for what the delivery says; whatever else fails is tried again."""
        # A delivery that answers an event of ours follows from it.
        headers = Headers(row["headers"] or {})
        trace = context.start_trace(headers.get("traceparent"))
        here = context.Context(trace, f"delivery-{row['id']}", tenant_id, source.id, chain=chain_returned(headers))
        with context.use(here), tracing.work(trace, "process inbound delivery", tenant_id, "consumer"):
            try:
                async with asyncio.timeout(_WORK_SECONDS):
                    await self._process(tenant_id, region, source, others, row)
            except (TryLater, TimeoutError, OSError) as error:
                await self._later(tenant_id, row, error)
            except Exception as error:
                if is_transient(error):
                    raise  # the database: nothing can be written down, and the lease ends by itself
                DELIVERIES_FAILED.inc()
                log.exception("delivery_failed", delivery_id=row["id"])
                await self._failed(tenant_id, row)

    async def _process(
        self, tenant_id: str, region: str, source: InboundSource, others: Mapping[str, set[str]], row: Mapping[str, Any]
    ) -> None:
        planned = await self._planned(region, source, row)
        if isinstance(planned, Ending):
            await self._end(tenant_id, source, row, planned, None)
            return
        start = row["written"]
        page = range(start, min(start + _PAGE, len(planned)))
        looked_at = self._page_with_referred(planned, page)
        digest = await self.digests.of(tenant_id)
        keys = [digest(key) for key in keys_of(looked_at)]
        known = await self._hold(tenant_id, source.id, row["id"], keys, applied_keys(looked_at))
        if known is None:
            return
        caller = Principal(source.id, tenant_id, region, frozenset({"read", "write"}))
        work = Work(
            delivery_id=row["id"],
            source=source,
            owned_by_others=others,
            planned=planned,
            calls=Calls(self.client, caller, f"{row['id']}-{row['runs']}"),
            digest=digest,
            read_applied=partial(self._applied, tenant_id, source.id, known),
            is_gone=partial(self._is_gone, tenant_id),
            received_at=row["created_at"],
            sent_at=row["sent_at"],
            payload=_rank(row["topic"], row["body"]),
            is_fetched=row["backfill_id"] is not None,
            results=Results(),
        )
        # What an earlier page planned may be referred to by this one: it is looked at again, and is there.
        for place in sorted(self._referred_before(planned, page)):
            await self._write(work, place)
        work.results.refs.clear()
        work.results.faults.clear()
        began, stop = time.monotonic(), page.start
        for place in page:
            await self._write(work, place)
            stop = place + 1
            if time.monotonic() - began > _PAGE_SECONDS:
                break
        is_last = stop >= len(planned)
        await self._end(tenant_id, source, row, Ending.of(work.results, row, len(planned), stop, is_last), work)

    async def _write(self, work: Work, place: int) -> None:
        planned = work.planned[place]
        fault: dict[str, Any] = {"code": "", "pointers": [], "candidates": []}
        try:
            await write(work, place)
            return
        except AmbiguousPerson as error:
            fault |= {"code": "ambiguous_person", "candidates": error.candidates}
            work.results.contact_ids.update(error.candidates)
        except ReferenceMissing:
            fault["code"] = "reference_missing"
        except DecisionNeeded:
            fault["code"] = "decision_needed"
        except RecordRefused as refused:
            if refused.status in (409, 412) and refused.code in (
                "precondition_failed",
                "conflict",
                "external_id_taken",
            ):
                raise TryLater(refused.code) from refused
            fault |= {"code": refused.code, "pointers": refused.pointers}
        work.results.faults.append({"resource": planned.resource, "external_id": planned.external_id, **fault})

    async def _planned(self, region: str, source: InboundSource, row: Mapping[str, Any]) -> "list[Planned] | Ending":
        if row["body"] is None:
            return Ending("ignored", "payload_gone")
        try:
            payload = await asyncio.to_thread(read_payload, row["body"], row["content_type"])
        except UnreadablePayload as error:
            return Ending("parked", error.code, str(error))
        topic = row["topic"]
        if topic == NO_TOPIC:
            topic = topic_of(source, row["headers"], payload) or NO_TOPIC
        mapping = mapping_of(topic, self._own(source), ready_mappings(cast("SourceKind", source.kind)))
        if mapping is None:
            return Ending("parked", "no_mapping", f"There is no mapping of {topic}")
        try:
            planned = await asyncio.to_thread(plan, mapping, payload, told_of(source, region))
        except MappingFailed as error:
            return Ending("parked", "mapping_failed", str(error))
        return planned or Ending("ignored", "nothing_to_do")

    def _own(self, source: InboundSource) -> Mapping[str, TopicMapping] | None:
        """Its own mappings, read once of each version."""
        version, kept = self.own.get(source.id, (0, None))
        if version != source.version:
            kept = own_mappings(source)
            self.own[source.id] = (source.version, kept)
            if len(self.own) > _SOURCES_KEPT:
                self.own.pop(next(iter(self.own)))
        return kept

    def _referred_before(self, planned: Sequence[Planned], page: range) -> set[int]:
        wanted = {ref.planned for place in page for ref in planned[place].refs.values() if ref.planned is not None}
        return {place for place in wanted if place < page.start}

    def _page_with_referred(self, planned: Sequence[Planned], page: range) -> list[Planned]:
        return [planned[place] for place in sorted({*page, *self._referred_before(planned, page)})]

    async def _hold(
        self, tenant_id: str, source_id: str, delivery_id: str, keys: Sequence[str], which: Collection[AppliedKey]
    ) -> Mapping[AppliedKey, Applied] | None:
        """What was applied of `which`, once nobody else works on it. None, and its turn later, where somebody does at this moment."""
        if not keys:
            return {}
        async with self.database.write(tenant_id, always=True) as session:
            if await repository.hold(session, delivery_id, keys):
                return await repository.applied(session, source_id, which)
            await repository.put_off(session, delivery_id, _BUSY, counted=False)
        return None

    async def _applied(
        self, tenant_id: str, source_id: str, known: Mapping[AppliedKey, Applied], resource: str, key: str
    ) -> Applied:
        if (resource, key) in known:  # held, so that nobody has changed it since
            return known[resource, key]
        async with self.database.read(tenant_id) as session:
            return (await repository.applied(session, source_id, [(resource, key)]))[resource, key]

    async def _is_gone(self, tenant_id: str, contact_id: str) -> bool:
        async with self.database.read(tenant_id) as session:
            return await repository.is_gone(session, contact_id)

    async def _later(self, tenant_id: str, row: Mapping[str, Any], error: Exception) -> None:
        """A service is away: with longer and longer pauses, and for three days."""
        pause = min(timedelta(seconds=2 ** min(row["attempts"], 12)), _LONGEST_PAUSE)
        log.info("delivery_waits", delivery_id=row["id"], error=str(error), attempts=row["attempts"])
        async with self.database.write(tenant_id, always=True) as session:
            await repository.release(session, row["id"])
            if await session.now() - row["created_at"] > _GIVING_UP:
                await conclude(session, row["id"], Ending("parked", "unavailable"))
            else:
                await repository.put_off(session, row["id"], pause, reason="unavailable")

    async def _failed(self, tenant_id: str, row: Mapping[str, Any]) -> None:
        """A fault of ours, which another try may pass by; it is not tried for ever."""
        async with self.database.write(tenant_id, always=True) as session:
            await repository.release(session, row["id"])
            if row["attempts"] >= _TRIES:
                await conclude(session, row["id"], Ending("parked", "internal"))
            else:
                await repository.put_off(session, row["id"], timedelta(seconds=2 ** row["attempts"]), reason="internal")

    async def _end(
        self, tenant_id: str, source: InboundSource, row: Mapping[str, Any], ending: "Ending", work: Work | None
    ) -> None:
        """What was written, what is kept of it, and how it ended, in one transaction."""
        async with self.database.write(tenant_id, always=True) as session:
            if work is not None:
                await repository.apply(session, source.id, list(work.results.applied.values()))
                await _tell_disagreements(session, work)
                if any(one["outcome"] == ERASED for one in work.results.refs):
                    await repository.forget_payload(session, row["id"])
            waits = ending.waits_for_reference and row["attempts"] <= len(_WAITING_FOR)
            again: datetime | None = None
            if waits:
                again = await session.now() + _WAITING_FOR[min(row["attempts"], len(_WAITING_FOR)) - 1]
            await conclude(session, row["id"], ending, again)
            await repository.release(session, row["id"])


def _rank(topic: str, body: bytes) -> str:
    """Between payloads of one moment: a creation is the older one, and then always the same one."""
    return f"{int(not is_creation(topic))}{hashlib.sha256(body).hexdigest()[:_TIE_DIGITS]}"


async def _tell_disagreements(session: WriteSession, work: Work) -> None:
    rows = [
        SyncConflictRow(
            id=SyncConflictId.new(),
            source_id=InboundSourceId(work.source.id),
            delivery_id=InboundDeliveryId(work.delivery_id),
            resource=resource,
            record_id=record_id,
            contact_id=contact_of(record_id),
            member=one.member,
            theirs=one.theirs,
            ours=one.ours,
            winner=one.winner,
            reason=one.reason,
        )
        for resource, record_id, one in work.results.disagreements
    ]
    if rows:
        await SYNC_CONFLICT_EVENTS.created_all(session, rows)
