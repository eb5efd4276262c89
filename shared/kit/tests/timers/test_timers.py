"""Timers run once they are due, in one transaction with their effect, whoever crashes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta

import pytest
from crm_contracts.ids import TenantId, new_id
from crm_kit.db.models import utc_now
from crm_kit.db.session import Database, WriteSession
from crm_kit.shutdown import end_tasks
from crm_kit.timers import RetryLater, TimerHandler, TimerWorker, cancel_timers, set_timer, set_timers
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.writers import running, until
from pydantic import JsonValue
from sqlalchemy import event, text

Payload = Mapping[str, JsonValue]
_LONG_AGO = timedelta(hours=-1)


@pytest.fixture(scope="module", autouse=True)
async def effect_table(parts: Parts) -> AsyncIterator[None]:
    await parts.run_as_owner(
        """
        create table rung (tenant_id text not null, key text not null);
        alter table rung enable row level security;
        alter table rung force row level security;
        create policy tenant on rung using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')))
        """
    )
    yield
    await parts.run_as_owner("drop table rung")


@pytest.fixture
def kind() -> str:
    return new_id("kind")


async def ring(session: WriteSession, key: str, _payload: Payload) -> datetime | None:
    """The effect: one row a run."""
    await session.execute(text("insert into rung values (:t, :k)"), {"t": session.tenant_id, "k": key})
    return None


def _worker(parts: Parts, kind: str, handle: TimerHandler = ring) -> TimerWorker:
    return TimerWorker({kind: handle}, parts.app, parts.system, service="toy")


async def _set(parts: Parts, tenant_id: str, kind: str, key: str, wait: timedelta, **payload: JsonValue) -> None:
    async with parts.app.write(tenant_id) as session:
        await set_timer(session, kind, key, utc_now() + wait, payload)


async def _rung(parts: Parts, tenant_id: str) -> list[str]:
    return [row["key"] for row in await parts.fetch_as(tenant_id, "select key from rung order by key")]


async def _waiting(parts: Parts, kind: str) -> dict[str, tuple[datetime, int, str | None]]:
    rows = await parts.fetch("select key, due_at, attempts, error from timer where kind = $1", kind)
    return {row["key"]: (row["due_at"], row["attempts"], row["error"]) for row in rows}


async def test_due_timers_run_once_and_others_wait(parts: Parts, tenant_id: str, kind: str) -> None:
    got: list[tuple[str, str, Payload]] = []

    async def handle(session: WriteSession, key: str, payload: Payload) -> datetime | None:
        got.append((session.tenant_id, key, payload))
        return await ring(session, key, payload)

    await _set(parts, tenant_id, kind, "due", _LONG_AGO, note="note_1", at=[1, None])
    await _set(parts, tenant_id, kind, "later", timedelta(hours=1))
    await _set(parts, tenant_id, kind, "soon", timedelta(seconds=0.3))
    await _set(parts, tenant_id, new_id("kind"), "of another kind", _LONG_AGO)
    async with running(_worker(parts, kind, handle).run):
        await until(lambda: _has_rung(parts, tenant_id, ["due", "soon"]))
    assert got[0] == (tenant_id, "due", {"note": "note_1", "at": [1, None]})
    assert (await _waiting(parts, kind)).keys() == {"later"}


async def _has_rung(parts: Parts, tenant_id: str, keys: list[str]) -> bool:
    return await _rung(parts, tenant_id) == keys


async def test_setting_a_timer_again_moves_it(parts: Parts, tenant_id: str, kind: str) -> None:
    await _set(parts, tenant_id, kind, "a", _LONG_AGO)
    await _set(parts, tenant_id, kind, "a", timedelta(hours=1))
    await _set(parts, tenant_id, kind, "b", timedelta(hours=1))
    await _set(parts, tenant_id, kind, "b", _LONG_AGO)
    async with running(_worker(parts, kind).run):
        await until(lambda: _has_rung(parts, tenant_id, ["b"]))
    assert (await _waiting(parts, kind)).keys() == {"a"}


async def test_a_cancelled_timer_never_runs_and_cancelling_again_is_no_error(
    parts: Parts, tenant_id: str, kind: str
) -> None:
    other = TenantId.new()
    async with parts.app.write(tenant_id) as session:
        await set_timers(session, kind, [(key, utc_now() + _LONG_AGO, {}) for key in "abc"])
    await _set(parts, other, kind, "a", _LONG_AGO)
    for _ in range(2):
        async with parts.app.write(tenant_id) as session:
            await cancel_timers(session, kind, ["a", "b", "never set"])
    async with running(_worker(parts, kind).run):
        await until(lambda: _has_rung(parts, tenant_id, ["c"]))
        await until(lambda: _has_rung(parts, other, ["a"]))  # another tenant's timer of the same key


async def test_a_timer_that_is_rolled_back_was_never_set(parts: Parts, tenant_id: str, kind: str) -> None:
    async def roll_back() -> None:
        async with parts.app.write(tenant_id) as session:
            await set_timer(session, kind, "a", utc_now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await roll_back()
    assert await _waiting(parts, kind) == {}


async def test_a_failing_timer_is_retried_later_and_later(parts: Parts, tenant_id: str, kind: str) -> None:
    async def handle(session: WriteSession, key: str, payload: Payload) -> datetime | None:
        await ring(session, key, payload)
        raise ValueError("cannot \0 now")

    await _set(parts, tenant_id, kind, "a", _LONG_AGO)
    pauses: list[float] = []
    async with running(_worker(parts, kind, handle).run):
        for attempt in range(1, 4):

            async def failed(attempt: int = attempt) -> bool:
                return (await _waiting(parts, kind))["a"][1] == attempt

            await until(failed)
            due_at, _, error = (await _waiting(parts, kind))["a"]
            pauses.append((due_at - utc_now()).total_seconds())
            assert error == "cannot \ufffd now"
            await parts.fetch_as(tenant_id, "update timer set due_at = now() where kind = $1", kind)
    assert [round(pause) for pause in pauses] == pytest.approx([2, 4, 8], abs=1)
    assert await _rung(parts, tenant_id) == [], "the effect of a failed run is undone"


async def test_a_handler_may_ask_for_another_time(parts: Parts, tenant_id: str, kind: str) -> None:
    runs = 0

    async def handle(session: WriteSession, key: str, payload: Payload) -> datetime | None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RetryLater("quiet hours", after=timedelta(seconds=0.2))
        await ring(session, key, payload)
        return utc_now() + timedelta(seconds=0.2) if runs < 4 else None

    await _set(parts, tenant_id, kind, "a", _LONG_AGO)
    async with running(_worker(parts, kind, handle).run):
        await until(lambda: _has_rung(parts, tenant_id, ["a"] * 3))
    assert await _waiting(parts, kind) == {}


async def test_workers_share_timers_without_doubling_any(parts: Parts, kind: str) -> None:
    tenants = [TenantId.new() for _ in range(4)]
    keys = [f"{n:03}" for n in range(60)]
    for tenant in tenants:
        async with parts.app.write(tenant) as session:
            await set_timers(session, kind, [(key, utc_now() + _LONG_AGO, {}) for key in keys])
    async with running(*(_worker(parts, kind).run for _ in range(3))):
        for tenant in tenants:
            await until(lambda tenant=tenant: _has_rung(parts, tenant, keys))  # type: ignore[misc]  # binds the loop's value
    assert await _waiting(parts, kind) == {}


async def test_a_worker_that_dies_gives_its_timer_back(parts: Parts, tenant_id: str, kind: str) -> None:
    started = asyncio.Event()

    async def hang(session: WriteSession, key: str, payload: Payload) -> datetime | None:
        await ring(session, key, payload)
        started.set()
        await asyncio.sleep(3600)
        return None

    await _set(parts, tenant_id, kind, "a", _LONG_AGO)
    dying = asyncio.create_task(_worker(parts, kind, hang).run())
    await asyncio.wait_for(started.wait(), 10)
    async with running(_worker(parts, kind).run):
        await asyncio.sleep(0.2)
        assert await _rung(parts, tenant_id) == [], "it is held, and the other worker passes it over"
        await end_tasks([dying], 0)
        await until(lambda: _has_rung(parts, tenant_id, ["a"]))


async def test_a_connection_lost_in_the_middle_of_a_run_undoes_it_and_it_runs_again(
    parts: Parts, tenant_id: str, kind: str
) -> None:
    runs = 0

    async def handle(session: WriteSession, key: str, payload: Payload) -> datetime | None:
        nonlocal runs
        runs += 1
        await ring(session, key, payload)
        if runs == 1:
            await session.execute(text("select pg_terminate_backend(pg_backend_pid())"))
        return None

    await _set(parts, tenant_id, kind, "a", _LONG_AGO)
    async with running(_worker(parts, kind, handle).run):
        await until(lambda: _has_rung(parts, tenant_id, ["a"]))
    assert runs == 2


async def test_a_worker_whose_timers_are_all_held_by_another_does_not_spin(
    parts: Parts, tenant_id: str, kind: str
) -> None:
    """The statements that the idle worker sends are counted, while the other one's handler takes its time."""
    started = asyncio.Event()

    async def slow(_session: WriteSession, _key: str, _payload: Payload) -> datetime | None:
        started.set()
        await asyncio.sleep(0.8)
        return None

    await _set(parts, tenant_id, kind, "a", _LONG_AGO)
    async with running(_worker(parts, kind, slow).run):
        await asyncio.wait_for(started.wait(), 10)
        looked: list[object] = []
        system = Database(parts.urls.system)
        event.listen(system.engine.sync_engine, "before_cursor_execute", lambda *_: looked.append(1))
        idle = TimerWorker({kind: ring}, parts.app, system, service="toy")
        async with running(idle.run):
            await asyncio.sleep(0.5)
        await system.close()
    assert 1 <= len(looked) < 5, f"{len(looked)} statements in half a second"
    assert await _rung(parts, tenant_id) == []


async def test_one_that_takes_long_keeps_no_other_waiting(parts: Parts, tenant_id: str, kind: str) -> None:
    """Each step of a job is a timer's run: it is not to wait for a step of another's work."""
    over, steps = asyncio.Event(), 0

    async def handle(session: WriteSession, key: str, _payload: Payload) -> datetime | None:
        nonlocal steps
        if key == "long":
            await over.wait()
            return None
        steps += 1
        return await session.now() if steps < 5 else None

    for key in ("long", "short"):
        await _set(parts, tenant_id, kind, key, _LONG_AGO)

    async def five_steps() -> bool:
        return steps == 5

    async with running(_worker(parts, kind, handle).run):
        await until(five_steps)
        assert set(await _waiting(parts, kind)) == {"long"}
        over.set()


async def test_the_timers_of_a_read_only_tenant_rest_until_it_takes_writes_again(
    parts: Parts, tenant_id: str, kind: str
) -> None:
    other = TenantId.new()
    await _set(parts, tenant_id, kind, "held", _LONG_AGO)
    await _set(parts, other, kind, "later", _LONG_AGO / 2)
    await parts.run_as_owner(
        _state(tenant_id, "insert into tenant_state (tenant_id, state, by_whom) values ({}, 'read_only', '')")
    )
    async with running(_worker(parts, kind).run):
        await until(lambda: _has_rung(parts, other, ["later"]))
        assert await _rung(parts, tenant_id) == [], "it had been due for longer"
        await parts.run_as_owner(_state(tenant_id, "delete from tenant_state where tenant_id = {}"))
        await until(lambda: _has_rung(parts, tenant_id, ["held"]))


def _state(tenant_id: str, statement: str) -> str:
    return f"set app.tenant_id = '{tenant_id}'; " + statement.format(f"'{tenant_id}'")
