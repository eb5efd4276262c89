"""Going on with backfills: a page at a time, asked for outside of any transaction, taken in with its cursor in one."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final, cast

from crm_kit.db.session import WriteSession
from crm_kit.http.outbound import Outbound
from crm_kit.http.principal import Principal
from crm_kit.jobs import JobKind, Progress
from crm_kit.jobs import usecases as jobs
from crm_kit.jobs.steps import Step
from crm_kit.keyring import Keyring
from crm_kit.settings import ServiceSettings
from crm_kit.timers import Conclusion, Outside

from gateway.features.inbound_backfills import repository, rules
from gateway.features.inbound_backfills.errors import problem_of
from gateway.features.inbound_backfills.models import InboundBackfillRow
from gateway.features.inbound_backfills.pulling import fetch
from gateway.features.inbound_backfills.rules import Place
from gateway.features.inbound_backfills.usecases import (
    BACKFILL_JOB,
    CannotAsk,
    Shop,
    end_backfill,
    places_of,
    shop_of,
    take_in,
    touched,
)
from gateway.features.inbound_deliveries import repository as deliveries
from gateway.settings import GatewaySettings

_LEASE: Final = timedelta(seconds=20)
"""So long after its process has died the page is asked for again."""

_MOST_WAITING: Final = 250
"""Deliveries of the source that nobody has begun; while there are more, no page is asked for: what the shop sends waits behind them."""

_FULL_PAUSE: Final = timedelta(seconds=1)


def _step_with(settings: ServiceSettings) -> Step:
    gateway = cast("GatewaySettings", settings)
    return partial(_step, gateway.keyring, gateway.outbound())


async def _step(
    keyring: Keyring, outbound: Outbound, session: WriteSession, backfill_id: str, _caller: Principal
) -> Progress | Outside:
    row = await repository.lock(session, backfill_id)
    assert row is not None, "a run is not deleted before its job has ended"
    if row.error is not None:
        raise problem_of(row.error)
    places = places_of(row)
    if row.status == "pending":
        row.status = "running"
        touched(row, await session.now())
        return _progress(places)
    asked = rules.next_place(places)
    if asked is None:
        return await _settled(session, row, places)
    if await deliveries.waiting(session, row.source_id, _MOST_WAITING) >= _MOST_WAITING:
        return _progress(places, pause=_FULL_PAUSE)
    try:
        shop = await shop_of(session, row.source_id, keyring)
    except CannotAsk as reason:
        row.error = {"code": reason.code}
        return _progress(places)
    return Outside(
        partial(_ask, outbound, shop, row.id, row.job_id, row.version, asked, places[asked]), _LEASE, renewed=True
    )


async def _ask(
    outbound: Outbound, shop: Shop, backfill_id: str, job_id: str, version: int, asked: int, place: Place
) -> Conclusion:
    outcome = await fetch(outbound, shop.connector, place.wanted(shop.connector.largest_page))

    async def conclude(session: WriteSession) -> datetime:
        """Nothing where it was cancelled, or another process has taken the page in since the lease was over."""
        now = await session.now()
        if not await jobs.lock_open(session, job_id):
            return now
        row = await repository.lock(session, backfill_id)
        if row is None or row.version != version:
            return now
        pause = await take_in(session, row, shop, asked, outcome)
        await session.flush()
        await jobs.tell_progress(session, job_id, _progress(places_of(row)))
        return now + pause

    return conclude


async def _settled(session: WriteSession, row: InboundBackfillRow, places: list[Place]) -> Progress:
    """It has ended when each of its deliveries has."""
    _, is_open = await deliveries.outcomes(session, row.id)
    return _progress(places, is_finished=not is_open, pause=_FULL_PAUSE)


def _progress(places: list[Place], *, is_finished: bool = False, pause: timedelta = timedelta()) -> Progress:
    """In records."""
    totals = [place.total for place in places]
    total = sum(each or 0 for each in totals) if all(each is not None for each in totals) else None
    done = sum(place.records for place in places)
    return Progress(done, max(total, done) if total is not None else None, is_finished, pause)


JOBS: Final = (JobKind(BACKFILL_JOB, None, end_backfill, _step_with),)
