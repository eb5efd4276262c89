"""Who is told to have acted where nobody has asked over HTTP: the system, and what caused it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from crm_contracts.envelope import Event
from crm_contracts.ids import EventId
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer
from crm_kit.inbox.applying import apply_events
from crm_kit.timers import TimerWorker, set_timer
from crm_testkit.toy_service import NOTE, NoteId
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.toy_service.notes import NOTE_EVENTS, NoteRow


async def _make(session: WriteSession, *_: object) -> None:
    await NOTE_EVENTS.created(session, NoteRow(id=NoteId.new(), title="a"))


async def _told(parts: Parts, tenant_id: str) -> dict[str, Any]:
    [row] = await parts.fetch("select * from audit_unsealed where tenant_id = $1", tenant_id)
    return {name: row[name] for name in ("actor", "via", "request_id", "action", "address")}


async def test_a_consumers_change_names_its_event(parts: Parts, tenant_id: str) -> None:
    async def handle(session: WriteSession, events: Sequence[Event]) -> None:
        await _make(session, events)

    event = Event(EventId.new(), "/relata/toy", NOTE.event_type("created"), "note_1", utc_now(), tenant_id, 1, {})
    consumer = Consumer(name="toy.copies", topics=(NOTE,), handle=handle)
    async with parts.app.write(tenant_id) as session:
        await apply_events(consumer, "toy", session, [event])
    assert await _told(parts, tenant_id) == {
        "actor": "service/toy", "via": "event", "request_id": f"event-{event.id}", "action": "created", "address": None,
    }  # fmt: skip


async def test_a_timers_change_names_its_timer(parts: Parts, tenant_id: str) -> None:
    async def handle(session: WriteSession, _key: str, _payload: Mapping[str, Any]) -> datetime | None:
        await _make(session)
        return None

    async with parts.app.write(tenant_id) as session:
        await set_timer(session, "audited", "one", await session.now())
    worker = asyncio.create_task(TimerWorker({"audited": handle}, parts.app, parts.system, service="toy").run())
    async with asyncio.timeout(10):
        while not await parts.fetch("select 1 from audit_unsealed where tenant_id = $1", tenant_id):
            await asyncio.sleep(0.02)
    worker.cancel()
    await asyncio.wait([worker])
    told = await _told(parts, tenant_id)
    assert (told["actor"], told["via"], told["request_id"][:6]) == ("service/toy", "timer", "timer-")


async def test_a_commands_change_is_the_systems(parts: Parts, tenant_id: str) -> None:
    async with parts.app.write(tenant_id) as session:
        await _make(session)
    told = await _told(parts, tenant_id)
    assert (told["actor"], told["via"], told["request_id"]) == ("system", "internal", "")


async def test_many_at_once_are_told_one_by_one(parts: Parts, tenant_id: str) -> None:
    rows = [NoteRow(id=NoteId.new(), title=f"n{n}") for n in range(300)]
    async with parts.app.write(tenant_id) as session:
        await NOTE_EVENTS.created_all(session, rows)
    found = await parts.fetch("select entity_id from audit_unsealed where tenant_id = $1 order by id", tenant_id)
    assert [row["entity_id"] for row in found] == [row.id for row in rows]


async def test_what_is_rolled_back_is_not_told(parts: Parts, tenant_id: str) -> None:
    class Undone(Exception):
        pass

    async def fail() -> None:
        async with parts.app.write(tenant_id) as session:
            await _make(session)
            raise Undone

    with pytest.raises(Undone):
        await fail()
    assert await parts.fetch("select 1 from audit_unsealed where tenant_id = $1", tenant_id) == []
