"""Timers whose effect lies outside the database: no transaction waits for it, and a crash repeats it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import pytest
from crm_contracts.ids import new_id
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.shutdown import end_tasks
from crm_kit.timers import Conclusion, Outside, TimerHandler, TimerWorker, set_timer
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.writers import running, until
from pydantic import JsonValue
from sqlalchemy import text

_OPEN_TRANSACTIONS = "select count(*) from pg_stat_activity where usename = current_user and xact_start is not null"


@pytest.fixture(scope="module", autouse=True)
async def effect_table(parts: Parts) -> AsyncIterator[None]:
    await parts.run_as_owner(
        """
        create table concluded (tenant_id text not null, key text not null);
        alter table concluded enable row level security;
        alter table concluded force row level security;
        create policy tenant on concluded
          using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')))
        """
    )
    yield
    await parts.run_as_owner("drop table concluded")


@pytest.fixture
def kind() -> str:
    return new_id("kind")


async def _record(session: WriteSession, key: str) -> None:
    await session.execute(text("insert into concluded values (:t, :k)"), {"t": session.tenant_id, "k": key})


def _outside(
    act: Callable[[], Awaitable[None]], again: list[datetime | None], *, lease: float, renewed: bool = False
) -> TimerHandler:
    """A handler that begins in the database, acts outside of it, and concludes in it."""

    async def handle(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> Outside:
        await _record(session, f"{key} begun")

        async def effect() -> Conclusion:
            await act()

            async def conclude(session: WriteSession) -> datetime | None:
                await _record(session, f"{key} concluded")
                return again.pop(0) if again else None

            return conclude

        return Outside(effect, timedelta(seconds=lease), renewed)

    return handle


def _worker(parts: Parts, kind: str, handle: TimerHandler) -> TimerWorker:
    return TimerWorker({kind: handle}, parts.app, parts.system, service="toy")


async def _held_open(parts: Parts, tenant_id: str) -> int:
    """Transactions that are open all the while: the worker's looks for what is due come and go."""
    counts = []
    for _ in range(5):
        counts.append((await parts.fetch_as(tenant_id, _OPEN_TRANSACTIONS))[0][0] - 1)  # less the one that asks
        await asyncio.sleep(0.02)
    return min(counts)


async def _set(parts: Parts, tenant_id: str, kind: str) -> None:
    async with parts.app.write(tenant_id) as session:
        await set_timer(session, kind, "a", utc_now())


async def _steps(parts: Parts, tenant_id: str) -> list[str]:
    return [row["key"] for row in await parts.fetch_as(tenant_id, "select key from concluded order by ctid")]


async def _left(parts: Parts, kind: str) -> int:
    return len(await parts.fetch("select 1 from timer where kind = $1", kind))


async def test_no_transaction_is_open_while_the_effect_happens(parts: Parts, tenant_id: str, kind: str) -> None:
    seen: list[tuple[list[str], int]] = []

    async def act() -> None:
        seen.append((await _steps(parts, tenant_id), await _held_open(parts, tenant_id)))

    await _set(parts, tenant_id, kind)
    async with running(_worker(parts, kind, _outside(act, [], lease=60)).run):
        await until(lambda: _is_done(parts, tenant_id, kind, ["a begun", "a concluded"]))
    assert seen == [(["a begun"], 0)]


async def _is_done(parts: Parts, tenant_id: str, kind: str, steps: list[str]) -> bool:
    return await _steps(parts, tenant_id) == steps and await _left(parts, kind) == 0


async def test_a_conclusion_may_ask_for_another_run(parts: Parts, tenant_id: str, kind: str) -> None:
    async def act() -> None: ...

    await _set(parts, tenant_id, kind)
    async with running(_worker(parts, kind, _outside(act, [utc_now()], lease=60)).run):
        await until(lambda: _is_done(parts, tenant_id, kind, ["a begun", "a concluded"] * 2))


async def test_a_worker_that_dies_outside_leaves_the_timer_until_the_lease_is_over(
    parts: Parts, tenant_id: str, kind: str
) -> None:
    started = asyncio.Event()

    async def hang() -> None:
        started.set()
        await asyncio.sleep(3600)

    async def act() -> None: ...

    await _set(parts, tenant_id, kind)
    dying = asyncio.create_task(_worker(parts, kind, _outside(hang, [], lease=1.5)).run())
    await asyncio.wait_for(started.wait(), 10)
    await end_tasks([dying], 0)
    async with running(_worker(parts, kind, _outside(act, [], lease=60)).run):
        await asyncio.sleep(0.5)
        assert await _steps(parts, tenant_id) == ["a begun"], "leased: nobody else may have it yet"
        await until(lambda: _is_done(parts, tenant_id, kind, ["a begun", "a begun", "a concluded"]))


async def test_a_conclusion_that_fails_is_tried_again_without_repeating_the_effect(
    parts: Parts, tenant_id: str, kind: str
) -> None:
    acts, failures = 0, 2

    async def handle(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> Outside:
        async def effect() -> Conclusion:
            nonlocal acts
            acts += 1
            return conclude

        async def conclude(session: WriteSession) -> datetime | None:
            nonlocal failures
            await _record(session, f"{key} concluded")
            if failures:
                failures -= 1
                await session.execute(text("select pg_terminate_backend(pg_backend_pid())"))
            return None

        return Outside(effect, timedelta(seconds=60))

    await _set(parts, tenant_id, kind)
    async with running(_worker(parts, kind, handle).run):
        await until(lambda: _is_done(parts, tenant_id, kind, ["a concluded"]))
    assert (acts, failures) == (1, 0)


async def test_a_renewed_lease_lasts_as_long_as_its_worker_does(parts: Parts, tenant_id: str, kind: str) -> None:
    async def act() -> None:
        await asyncio.sleep(2)

    await _set(parts, tenant_id, kind)
    handle = _outside(act, [], lease=0.6, renewed=True)
    async with running(_worker(parts, kind, handle).run), running(_worker(parts, kind, handle).run):
        await until(lambda: _is_done(parts, tenant_id, kind, ["a begun", "a concluded"]))


async def test_an_effect_that_fails_is_counted_until_it_happens(parts: Parts, tenant_id: str, kind: str) -> None:
    failures = 2

    async def act() -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise ValueError("not now")

    attempts: list[int] = []

    async def tried() -> bool:
        rows = await parts.fetch("select attempts from timer where kind = $1", kind)
        attempts.extend(row["attempts"] for row in rows)
        await parts.fetch_as(tenant_id, "update timer set due_at = now() where kind = $1 and attempts > 0", kind)
        return not rows

    await _set(parts, tenant_id, kind)
    async with running(_worker(parts, kind, _outside(act, [], lease=60)).run):
        await until(tried)
    assert max(attempts) == 2
