"""Gauges of what lies in the database, by whoever sees all tenants, and pools' connections."""

from datetime import timedelta

from crm_contracts.ids import TenantId, new_id
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession
from crm_kit.observability.measuring import Measuring
from crm_kit.outbox import Relay
from crm_kit.outbox.gauge import measure_outbox
from crm_kit.timers import set_timer
from crm_kit.timers.gauge import TimerGauge
from crm_testkit.toy_service.fixtures import Parts, log, parts, tenant_id
from crm_testkit.writers import make_notes, running, until
from prometheus_client import REGISTRY

__all__ = ["log", "parts", "tenant_id"]


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None, name
    return found


async def test_the_outbox_is_measured_whether_anybody_relays_it_or_not(
    parts: Parts, log: EmbeddedEventLog, tenant_id: str
) -> None:
    async def measure() -> tuple[float, float]:
        async with parts.system.read(None) as session:
            await measure_outbox(session, "measured")
        age = value("crm_outbox_oldest_seconds", service="measured")
        return value("crm_outbox_events", service="measured"), age

    assert await measure() == (0, 0)
    await make_notes(parts.app, tenant_id, 3)
    await make_notes(parts.app, TenantId.new(), 2)
    _, first = await measure()
    events, age = await measure()
    assert events == 5
    assert 0 < first < age < 60

    async def is_empty() -> bool:
        return (await measure())[0] == 0

    async with running(Relay(parts.urls.system, log, service="toy").run):
        await until(is_empty)
    assert await measure() == (0, 0)


async def test_timers_are_counted_by_kind_once_they_are_due(parts: Parts, tenant_id: str) -> None:
    kind, other = new_id("kind"), new_id("kind")
    async with parts.app.write(tenant_id) as session:
        await set_timer(session, kind, "due", utc_now() - timedelta(minutes=5))
        await set_timer(session, kind, "long due", utc_now() - timedelta(hours=1))
        await set_timer(session, kind, "not due", utc_now() + timedelta(hours=1))
        await set_timer(session, new_id("kind"), "of another release", utc_now() - timedelta(days=1))
    async with parts.system.read(None) as session:
        await TimerGauge([kind, other]).measure(session, "measured")
    assert value("crm_timers_due", service="measured", kind=kind) == 2
    assert 3600 <= value("crm_timers_overdue_seconds", service="measured", kind=kind) < 3700
    assert value("crm_timers_due", service="measured", kind=other) == 0
    assert value("crm_timers_overdue_seconds", service="measured", kind=other) == 0


async def test_a_measure_that_fails_keeps_no_other_from_being_taken(parts: Parts) -> None:
    taken = 0

    async def failing(_session: ReadSession, _service: str) -> None:
        raise ValueError("it cannot be measured")

    async def counting(_session: ReadSession, _service: str) -> None:
        nonlocal taken
        taken += 1

    async def is_taken() -> bool:
        return taken > 0

    async with running(Measuring(parts.system, "measured", [failing, counting]).run):
        await until(is_taken)


async def test_a_pool_tells_how_many_of_its_connections_are_in_use(parts: Parts, tenant_id: str) -> None:
    parts.app.meter("measured", "app")

    def connections(state: str) -> float:
        return value("crm_db_pool_connections", service="measured", pool="app", state=state)

    before = connections("in_use")
    async with parts.app.read(tenant_id) as session:
        await session.now()
        assert connections("in_use") == before + 1
    assert connections("in_use") == before
    assert connections("idle") >= 1
    assert value("crm_db_pool_limit", service="measured", pool="app") == 20
