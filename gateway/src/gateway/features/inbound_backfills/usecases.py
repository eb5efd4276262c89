"""What can be done with a backfill, and how a page of it is taken in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import orjson
import structlog
from crm_contracts.ids import InboundBackfillId, InboundDeliveryId, InboundSourceId
from crm_contracts.inbound import InboundSource, PullResource
from crm_kit.db.locks import lock_keys
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.sealing import Unsealable
from crm_kit.jobs import JobStatus, start_job
from crm_kit.keyring import Keyring

from gateway.connectors import connector_of
from gateway.connectors.interface import Access, Connector, Record
from gateway.features.inbound_backfills import repository, rules
from gateway.features.inbound_backfills.errors import BackfillRunning, NotPulled, NotResumable, SourceInactive
from gateway.features.inbound_backfills.events import UNPUBLISHED
from gateway.features.inbound_backfills.models import InboundBackfillRow
from gateway.features.inbound_backfills.pulling import Again, Fetched, Outcome, Refused, TooLarge
from gateway.features.inbound_backfills.rules import Place
from gateway.features.inbound_backfills.schemas import BackfillWrite, InboundBackfill, Trigger
from gateway.features.inbound_deliveries import repository as deliveries
from gateway.features.inbound_deliveries.accepting import Sent
from gateway.features.inbound_sources import repository as sources
from gateway.features.inbound_sources.events import INBOUND_SOURCE_EVENTS
from gateway.features.inbound_sources.models import InboundSourceRow
from gateway.features.inbound_sources.sealed_secrets import unseal_credentials

log = structlog.get_logger(__name__)

BACKFILL_JOB: Final = "inbound_backfill"


@dataclass(frozen=True, slots=True)
class Shop:
    """What a run asks, and in whose name that is taken in."""

    source: InboundSource
    region: str
    connector: Connector


class CannotAsk(Exception):
    """`code`: why no page can be asked for any more."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


async def start_backfill(
    session: WriteSession, source: InboundSourceRow, data: BackfillWrite, caller: Principal
) -> InboundBackfill:
    """Raises NotPulled, SourceInactive, BackfillRunning, ValidationFailed."""
    if source.pull is None:
        raise NotPulled
    offered: list[PullResource] = source.pull["resources"]
    lacking = [place for place, one in enumerate(data.resources or ()) if one not in offered]
    if lacking:
        text = Text("The source's `pull` does not have it", "来源的 pull 未包含该资源")
        faults = [FieldError(f"/resources/{place}", "not_pulled", text) for place in lacking]
        raise ValidationFailed(Text("The backfill is not valid; see errors.", "回填无效，见 errors。"), errors=faults)
    wanted = [one for one in offered if data.resources is None or one in data.resources]
    return await _begin(session, source, wanted, data.updated_since, None, "asked", caller)


async def start_scheduled(session: WriteSession, source: InboundSourceRow) -> None:
    """Goes on from where the runs before have come to. Nothing where one is under way."""
    if await repository.going_on(session, source.id) is not None:
        return
    caller = Principal(source.id, session.tenant_id, source.region, frozenset({"read", "write"}))
    marks = await repository.marks(session, source.id)
    await repository.forget_old(session, source.id)
    await _begin(session, source, source.pull["resources"], None, marks, "scheduled", caller)


async def _begin(
    session: WriteSession,
    source: InboundSourceRow,
    resources: Sequence[PullResource],
    since: datetime | None,
    marks: dict[str, datetime] | None,
    trigger: Trigger,
    caller: Principal,
) -> InboundBackfill:
    await _alone(session, source)
    backfill_id = InboundBackfillId.new()
    row = InboundBackfillRow(
        id=backfill_id,
        source_id=source.id,
        trigger=trigger,
        resources=list(resources),
        updated_since=since,
        places=rules.dumped(rules.first_places(resources, since, marks)),
        job_id=await start_job(session, BACKFILL_JOB, backfill_id, caller),
        requested_by=caller.subject,
    )
    return await UNPUBLISHED.created(session, row)


async def _alone(session: WriteSession, source: InboundSourceRow) -> None:
    """Raises SourceInactive, BackfillRunning."""
    if not source.is_active:
        raise SourceInactive
    await lock_keys(session, "inbound_backfill", [source.id])
    if (other := await repository.going_on(session, source.id)) is not None:
        text = Text(f"{other} is under way.", f"{other} 正在进行。")
        raise BackfillRunning(text, members={"backfill_id": other})


async def resume_backfill(
    session: WriteSession, source: InboundSourceRow, row: InboundBackfillRow, caller: Principal
) -> InboundBackfill:
    """Goes on where it stood, by another job. Raises NotResumable, NotPulled, SourceInactive, BackfillRunning."""
    if row.status not in ("failed", "cancelled"):
        raise NotResumable
    if source.pull is None:
        raise NotPulled
    await _alone(session, source)
    before = UNPUBLISHED.snapshot(row)
    row.status, row.error, row.trouble, row.outcomes, row.finished_at = "pending", None, None, None, None
    row.failures, row.waits = 0, 0
    row.job_id = await start_job(session, BACKFILL_JOB, row.id, caller)
    await UNPUBLISHED.updated(session, row, before)
    return UNPUBLISHED.snapshot(row)


async def end_backfill(session: WriteSession, backfill_id: str, status: JobStatus) -> None:
    """Told by its job."""
    row = await repository.lock(session, backfill_id)
    if row is None:
        return
    before = UNPUBLISHED.snapshot(row)
    row.status, row.trouble, row.finished_at = status, None, await session.now()
    row.outcomes, _ = await deliveries.outcomes(session, row.id)
    await UNPUBLISHED.updated(session, row, before)


async def shop_of(session: ReadSession, source_id: str, keyring: Keyring) -> Shop:
    """Raises CannotAsk."""
    row = await sources.of_id(session, source_id)
    if row is None:
        raise CannotAsk("source_gone")
    if not row.is_active:
        raise CannotAsk("source_inactive")
    if row.pull is None or row.pull_sealed is None:
        raise CannotAsk("pull_missing")
    try:
        credentials = unseal_credentials(keyring, InboundSourceId(row.id), row.pull_sealed)
    except Unsealable as error:  # the installation's secret is another: they have to be given anew
        log.error("source_not_opened", source_id=row.id, error=str(error))
        raise CannotAsk("pull_missing") from error
    return Shop(INBOUND_SOURCE_EVENTS.snapshot(row), row.region, _connector(row, credentials))


def _connector(row: InboundSourceRow, credentials: dict[str, str]) -> Connector:
    return connector_of(row.kind, Access(row.pull["base_url"], row.pull["api_version"], credentials))


def places_of(row: InboundBackfillRow) -> list[Place]:
    return [Place.model_validate(each) for each in row.places]


def touched(row: InboundBackfillRow, now: datetime) -> None:
    """Another version, of which no audit entry tells: that it was asked for is told, and what came of it will be."""
    row.version += 1
    row.updated_at = now


async def take_in(
    session: WriteSession, row: InboundBackfillRow, shop: Shop, asked: int, outcome: Outcome
) -> timedelta:
    """What was answered, with where the run stands then; the pause until it goes on. `asked`: the place of the resource."""
    places, now = places_of(row), await session.now()
    touched(row, now)
    match outcome:
        case Fetched():
            row.failures, row.waits, row.trouble = 0, 0, None
            row.warning = outcome.warning or row.warning
            places[asked] = await _stored(session, row, shop, places[asked], outcome)
            row.places = rules.dumped(places)
            return timedelta(seconds=outcome.pause)
        case TooLarge():
            smaller = rules.smaller(places[asked], shop.connector.largest_page)
            if smaller is None:
                row.error = {"code": "unavailable", "reason": "answer_too_large"}
                return timedelta()
            places[asked] = smaller
            row.places = rules.dumped(places)
            return timedelta()
        case Refused():
            row.error = {"code": outcome.code, "status": outcome.status}
            return timedelta()
        case Again():
            return _again(row, outcome)


def _again(row: InboundBackfillRow, again: Again) -> timedelta:
    row.trouble = again.reason
    if again.is_pace:
        row.waits += 1
        pause = rules.patience(again.after, row.waits)
    else:
        row.failures += 1
        pause = rules.back_off(row.failures, again.after)
    if row.failures >= rules.MAX_FAILURES or row.waits >= rules.MAX_WAITS:
        row.error = {"code": "unavailable", "reason": again.reason}
    return pause


async def _stored(session: WriteSession, row: InboundBackfillRow, shop: Shop, place: Place, fetched: Fetched) -> Place:
    """The page's records as deliveries, and the place behind it."""
    sent = [one for record in fetched.page.records if (one := _sent(row, shop.source, record, fetched)) is not None]
    if sent:
        await deliveries.store_fetched(session, sent)
    marks = await repository.marks(session, row.source_id)
    return rules.after_page(
        place,
        fetched.page,
        taken=len(sent),
        skipped=fetched.page.broken + len(fetched.page.records) - len(sent),
        asked_at=fetched.asked_at,
        knows_modified=shop.connector.knows_modified(place.resource),
        earlier=marks.get(place.resource),
    )


def _sent(row: InboundBackfillRow, source: InboundSource, record: Record, fetched: Fetched) -> Sent | None:
    """None for what is larger than a delivery may be."""
    body = orjson.dumps(record.payload)
    if len(body) > source.max_body_bytes:
        return None
    return Sent(
        id=InboundDeliveryId.new(),
        source_id=source.id,
        key=_key(row, record, body),
        earlier_key=None,
        since=fetched.read_at,
        topic=record.topic,
        sender_id=None,
        sent_at=rules.version_time(record.modified_at, fetched.read_at),
        content_type="application/json",
        headers={},
        body=body,
        backfill_id=row.id,
    )


def _key(row: InboundBackfillRow, record: Record, body: bytes) -> bytes:
    """A run takes each state of a record in once, however often it sees it; scheduled ones together do. One that somebody asked for
    takes all in again: the mapping may have been mended.
    """
    scope = "scheduled" if row.trigger == "scheduled" else row.id
    head = orjson.dumps(["pulled", scope, record.topic, record.external_id])
    return sha256(len(head).to_bytes(8) + head + body).digest()
