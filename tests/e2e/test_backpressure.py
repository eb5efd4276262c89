"""Far more events than a batch pile up, before the relay and before a consumer: order stays, memory is bounded."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from crm_contracts.envelope import Event
from crm_kit.bus import EventLog
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.bus.kafka import KafkaEventLog
from crm_local.child import Child
from crm_local.configuration import MODULES, Bus, Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.beside import beside
from crm_testkit.history import check_views
from crm_testkit.kafka_broker import RealKafka
from crm_testkit.piled_changes import pile_up_changes
from crm_testkit.soak.memory import peak_mb
from crm_testkit.whole_stack import bearer
from crm_testkit.writers import check, read_all, until

pytestmark = pytest.mark.long

_CONTACTS = 40
_VERSIONS = 500
_ROLES = {"contacts": "api,consume,timers", "gateway": "api,relay,timers"}
"""What the stack itself runs: contacts-svc without its relay, the gateway without its consumer."""
_TOPIC = "crm.contacts.contact"
_RELAY_MB = 30.0
_CONSUMER_MB = {"embedded": 30.0, "kafka": 70.0}
"""More than when idle; on Kafka the client fetches ahead. Reading all at once takes 40 to 100."""


@asynccontextmanager
async def _stack(bus: Bus, kafka: str) -> AsyncIterator[LocalStack]:
    programs = {name: (sys.executable, "-m", MODULES[name], "serve", "--only", roles) for name, roles in _ROLES.items()}
    with temporary_run_dir() as folder:
        configuration = Configuration(run_dir=folder, bus=bus, kafka=kafka)
        async with LocalStack(configuration, programs=programs, fast=True) as stack:
            yield stack


@asynccontextmanager
async def _log(stack: LocalStack) -> AsyncIterator[EventLog]:
    url = stack.environment_of("gateway")["EVENT_LOG_URL"]
    kafka = stack.configuration.kafka
    log = KafkaEventLog(kafka) if kafka else EmbeddedEventLog(url, compaction_interval=0)
    await log.start()
    try:
        yield log
    finally:
        await log.close()


async def _idle_mb(stack: LocalStack, client: httpx.AsyncClient) -> tuple[float, float]:
    """How large a relay and a consumer become that have nothing to do any more: the first Chinese name brings in what is kept of
    characters.
    """
    async with beside(stack, "contacts", "relay") as relay, beside(stack, "gateway", "consume") as consumer:
        made = (await client.post("/v1/contacts", json={"full_name": "客户"})).json()["id"]
        await until(lambda: _answers(client, made, 200))
        await client.delete(f"/v1/contacts/{made}")
        await until(lambda: _answers(client, made, 404))
        return _peak(relay), _peak(consumer)


async def _answers(client: httpx.AsyncClient, customer_id: str, status: int) -> bool:
    return (await client.get(f"/v1/customers/{customer_id}")).status_code == status


def _peak(child: Child) -> float:
    assert child.pid is not None, "it still runs"
    return peak_mb(child.pid)


async def _piled_up(client: httpx.AsyncClient, stack: LocalStack, tenant_id: str) -> list[str]:
    """The ids of contacts with so many versions each, of none of which an event was relayed."""
    operations = [{"method": "create", "data": {"full_name": f"客户 {number}"}} for number in range(_CONTACTS)]
    answer = await client.post("/v1/contacts/batch", json={"operations": operations})
    ids = [result["id"] for result in answer.json()["results"]]
    assert await pile_up_changes(stack, tenant_id, _VERSIONS) == _CONTACTS * (_VERSIONS - 1)
    return ids


async def _write_on(client: httpx.AsyncClient, ids: list[str], stop: asyncio.Event) -> dict[str, int]:
    """Changes the contacts one after the other; the version that each write was answered with."""
    versions = dict.fromkeys(ids, _VERSIONS)
    while not stop.is_set():
        for contact_id in ids:
            answer = await client.patch(f"/v1/contacts/{contact_id}", json={"title": f"after {versions[contact_id]}"})
            assert answer.status_code == 200, answer.text
            versions[contact_id] += 1
            assert answer.json()["version"] == versions[contact_id]
    return versions


@pytest.mark.timeout(240)
@pytest.mark.parametrize("bus", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
async def test_what_piles_up_is_worked_off_in_order_and_in_bounded_memory(bus: Bus, tmp_path: Path) -> None:
    async with AsyncExitStack() as opened:
        kafka = opened.enter_context(RealKafka(tmp_path / "kafka")).bootstrap_servers if bus == "kafka" else ""
        stack = await opened.enter_async_context(_stack(bus, kafka))
        log = await opened.enter_async_context(_log(stack))
        client = await opened.enter_async_context(
            httpx.AsyncClient(base_url=stack.urls["gateway"], headers=bearer(stack.dev["api_key"]), timeout=60)
        )
        idle_relay, idle_consumer = await _idle_mb(stack, client)
        idle_copy = peak_mb(stack.pids["campaigns"])
        ids = await _piled_up(client, stack, str(stack.dev["tenant_id"]))

        outbox = await asyncpg.connect(stack.database_url("contacts"))
        opened.push_async_callback(outbox.close)
        stop = asyncio.Event()
        async with beside(stack, "contacts", "relay") as relay, asyncio.TaskGroup() as group:
            writing = group.create_task(_write_on(client, ids[:10], stop))
            await until(lambda: _below(outbox, 100), seconds=90)
            stop.set()
            versions = dict.fromkeys(ids, _VERSIONS) | await writing
            await until(lambda: _below(outbox, 1), seconds=60)
            relay_mb = _peak(relay) - idle_relay
        assert sum(versions.values()) > _CONTACTS * _VERSIONS, "nothing was written meanwhile"
        records = await read_all(log, _TOPIC)
        mine = [
            event for event in (Event.parse(one.headers, one.value) for one in records) if event.subject in versions
        ]
        assert not check(mine, versions)

        view = await asyncpg.connect(stack.database_url("gateway"))
        opened.push_async_callback(view.close)
        async with beside(stack, "gateway", "consume") as consumer:
            await until(lambda: _caught_up(log, view, "gateway.view"), seconds=90)
            consumer_mb = _peak(consumer) - idle_consumer
            assert await check_views(client) == _CONTACTS
        copy_mb = peak_mb(stack.pids["campaigns"]) - idle_copy
        assert relay_mb < _RELAY_MB
        assert consumer_mb < _CONSUMER_MB[bus]
        assert copy_mb < _CONSUMER_MB[bus]


async def _below(connection: asyncpg.Connection, rows: int) -> bool:
    return int(await connection.fetchval("select count(*) from (select from outbox limit $1) as found", rows)) < rows


async def _caught_up(log: EventLog, connection: asyncpg.Connection, group: str) -> bool:
    behind = sum(lag.behind for lag in (await log.lag(group, [_TOPIC])).values())
    return not behind and not await connection.fetchval("select exists (select from stale_customer)")
