"""The event path: how many events a second come from the outbox into the customer views.

`python benchmarks/event_path.py --bus kafka --customers 2000 --events 60000`

An outbox is filled with the events of a made-up business; then a relay and the gateway's consumer are started, a process
each, as in the real stack, and the time is taken until every view is up to date. Before it, on Kafka, the same
records go through a bare aiokafka producer and consumer, a process each. CPU seconds are told by process, and how large relay and consumer
became: `--customers 100000 --events 1000000` is an outbox of a million rows, `--consumers 2` a second replica of the gateway.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import psutil
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from business import Stage, business, set_up
from crm_kit.bus import EventLog, Record, TopicSpec, open_event_log
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.outbox import Relay
from crm_kit.outbox.table import shard_of
from crm_kit.runtime import Runtime
from crm_kit.serving import collect_seldom
from crm_testkit.kafka_broker import RealKafka
from crm_testkit.postgres import make_open_folder
from gateway.features.customers.consumers import VIEW
from gateway.manifest import MANIFEST

_BARE_TOPIC = "bare"
_JOINED_WITHIN = 6.0
"""Seconds that a consumer needs to start and to join its group."""
_UNFINISHED = "select exists (select from outbox) or exists (select from stale_customer)"
_TOPICS = [topic.name for topic in VIEW.topics]


# --- the processes that are measured


async def relay(stage: Stage) -> None:
    log = open_event_log(stage.settings)
    await log.start()
    await Relay(stage.system_url, log, service="benchmark").run()


async def consume(stage: Stage) -> None:
    """The gateway without its HTTP side."""
    async with Runtime(MANIFEST, stage.settings, ["consume"]).running():
        collect_seldom()
        await asyncio.Event().wait()


async def bare_produce(stage: Stage) -> None:
    """Sends what stands in the outbox, five thousand at a time, each thousand awaited."""
    connection = await asyncpg.connect(stage.system_url)
    producer = AIOKafkaProducer(
        bootstrap_servers=stage.kafka, acks="all", enable_idempotence=True, max_batch_size=262_144
    )
    await producer.start()
    after = 0
    while rows := await connection.fetch(
        "select id, key, headers::text, payload from outbox where id > $1 order by id limit 5000", after
    ):
        after = rows[-1]["id"]
        for start in range(0, len(rows), 1000):
            sent = [
                await producer.send(
                    _BARE_TOPIC,
                    row["payload"],
                    key=row["key"].encode(),
                    headers=[(name, text.encode()) for name, text in orjson.loads(row["headers"]).items()],
                )
                for row in rows[start : start + 1000]
            ]
            await asyncio.gather(*sent)
    await producer.stop()


async def bare_consume(stage: Stage, expected: int) -> None:
    consumer = AIOKafkaConsumer(
        _BARE_TOPIC, bootstrap_servers=stage.kafka, group_id="bare", auto_offset_reset="earliest",
        enable_auto_commit=False,
    )  # fmt: skip
    await consumer.start()
    seen, began = 0, 0.0
    while seen < expected:
        found = await consumer.getmany(timeout_ms=1000, max_records=1000)
        if found:
            began = began or time.perf_counter()
            seen += sum(map(len, found.values()))
            await consumer.commit()
    print(time.perf_counter() - began, flush=True)
    await consumer.stop()


# --- the measurement


@contextmanager
def process(role: str, stage: Stage, *arguments: str) -> Iterator[psutil.Popen]:
    environment = {**os.environ, "EVENT_PATH": json.dumps(asdict(stage))}
    command = [sys.executable, __file__, "--role", role, *arguments]
    child = psutil.Popen(command, env=environment, stdout=subprocess.PIPE if role == "bare_consume" else None)
    try:
        yield child
    finally:
        with suppress(psutil.NoSuchProcess):
            child.send_signal(signal.SIGKILL)
        child.wait()


class Usage:
    """CPU seconds by name, of processes and all their children, since this was made; and their largest resident size."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self._processes = processes
        self._before = self._now()
        self.peak_mb = dict.fromkeys(processes, 0.0)

    def look(self) -> None:
        """Notes the sizes that they have now; of PostgreSQL's the pages that all share are counted in each."""
        for name, process in self._processes.items():
            with suppress(psutil.NoSuchProcess):
                self.peak_mb[name] = max(self.peak_mb[name], process.memory_info().rss / 1e6)

    def _now(self) -> dict[str, dict[int, float]]:
        return {name: dict(_seconds(process)) for name, process in self._processes.items()}

    def spent(self) -> dict[str, float]:
        """A child that has ended is not counted."""
        return {
            name: sum(seconds - self._before[name].get(pid, 0.0) for pid, seconds in each.items())
            for name, each in self._now().items()
        }


def _seconds(process: psutil.Process) -> Iterator[tuple[int, float]]:
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            yield one.pid, times.user + times.system


async def fill(server: EmbeddedPostgres, customers: int, events: int) -> int:
    connection = await asyncpg.connect(server.superuser_url("gateway"))
    columns = ("tenant_id", "shard", "topic", "key", "headers", "payload")
    filled = 0
    try:
        for tenant_id, records in business(customers, events):
            rows = [_outbox_row(tenant_id, record) for record in records]
            await connection.copy_records_to_table("outbox", records=rows, columns=columns)
            filled += len(rows)
        await connection.execute("analyze outbox")
    finally:
        await connection.close()
    return filled


def _outbox_row(tenant_id: str, record: Record) -> tuple[object, ...]:
    headers = orjson.dumps(dict(record.headers)).decode()
    return tenant_id, shard_of(record.key), record.topic, record.key, headers, record.value


async def until_moving(server: EmbeddedPostgres) -> None:
    """Until the relay has published its first batch: starting it is not what is measured."""
    connection = await asyncpg.connect(server.superuser_url("gateway"))
    try:
        first = await connection.fetchval("select min(id) from outbox")
        while await connection.fetchval("select min(id) from outbox") == first:
            await asyncio.sleep(0.005)
    finally:
        await connection.close()


async def until_applied(server: EmbeddedPostgres, log: EventLog, usage: Usage) -> None:
    connection = await asyncpg.connect(server.superuser_url("gateway"))
    try:
        while True:
            usage.look()
            behind = sum(lag.behind for lag in (await log.lag(VIEW.name, _TOPICS)).values())
            if not behind and not await connection.fetchval(_UNFINISHED):
                return
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


def told(events: int, seconds: float, cpu: Mapping[str, float]) -> dict[str, Any]:
    each = {name: round(spent / events * 1e6) for name, spent in cpu.items()}
    return {"events/s": round(events / seconds), "CPU µs an event": each}


async def measure_bare(stage: Stage, broker: psutil.Process, events: int) -> dict[str, Any]:
    admin = open_event_log(stage.settings)
    await admin.start()
    await admin.ensure_topics([TopicSpec(_BARE_TOPIC)])
    await admin.close()
    with (
        process("bare_consume", stage, "--events", str(events)) as consumer,
        process("bare_produce", stage) as producer,
    ):
        usage = Usage({"producer": producer, "consumer": consumer, "kafka": broker})
        spent = usage.spent()
        while consumer.poll() is None:
            spent = usage.spent()
            await asyncio.sleep(0.05)
        seconds = float(consumer.stdout.read())
    return told(events, seconds, spent)


async def measure_path(
    server: EmbeddedPostgres, stage: Stage, events: int, consumers: int, servers: Mapping[str, psutil.Process]
) -> dict[str, Any]:
    log = open_event_log(stage.settings)
    await log.start()
    await log.ensure_topics([TopicSpec(name) for name in _TOPICS])
    with ExitStack() as opened:
        consuming = {
            f"consumer {number}": opened.enter_context(process("consume", stage)) for number in range(1, consumers + 1)
        }
        await asyncio.sleep(_JOINED_WITHIN)
        relaying = {"relay": opened.enter_context(process("relay", stage))}
        await until_moving(server)
        began = time.perf_counter()
        usage = Usage({**relaying, **consuming, **servers})
        await until_applied(server, log, usage)
        seconds, spent = time.perf_counter() - began, usage.spent()
    await log.close()
    largest = {name: round(usage.peak_mb[name]) for name in (*relaying, *consuming)}
    return told(events, seconds, spent) | {"largest, MB": largest}


async def event_path(bus: str, customers: int, events: int, consumers: int = 1) -> dict[str, Any]:
    """`bus`: kafka, beside R5, or embedded, which is also taken where there is no real Kafka."""
    with ExitStack() as opened:
        folder = opened.enter_context(make_open_folder())
        server = EmbeddedPostgres(folder / "postgres").start()
        opened.callback(server.stop)
        servers = {"postgres": postmaster(folder / "postgres")}
        stage = await set_up(server, folder)
        kafka = opened.enter_context(RealKafka(folder / "kafka")) if bus == "kafka" else None
        filled = await fill(server, customers, events)
        if kafka is None or not kafka.is_real:
            ours = await measure_path(server, stage, filled, consumers, servers)
            return {"bus": "embedded", "events": filled, **ours}
        stage = replace(stage, kafka=kafka.bootstrap_servers)
        servers["kafka"] = next(one for one in psutil.Process().children(recursive=True) if one.name() == "java")
        bare = await measure_bare(stage, servers["kafka"], filled)
        ours = await measure_path(server, stage, filled, consumers, servers)
        of_bare = round(ours["events/s"] / bare["events/s"], 3)
        return {"bus": "kafka", "events": filled, **ours, "bare aiokafka (R5)": bare, "of R5": of_bare}


def postmaster(folder: Path) -> psutil.Process:
    found = next(folder.rglob("postmaster.pid"))
    return psutil.Process(int(found.read_text().splitlines()[0]))


def run_role(role: str, events: int) -> None:
    stage = Stage(**json.loads(os.environ["EVENT_PATH"]))
    roles = {
        "relay": lambda: relay(stage),
        "consume": lambda: consume(stage),
        "bare_produce": lambda: bare_produce(stage),
        "bare_consume": lambda: bare_consume(stage, events),
    }
    uvloop.run(roles[role]())  # as the services do


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bus", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--consumers", type=int, default=1)
    parser.add_argument("--role", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.role:
        run_role(chosen.role, chosen.events)
    else:
        found = asyncio.run(event_path(chosen.bus, chosen.customers, chosen.events, chosen.consumers))
        print(json.dumps(found, indent=1, ensure_ascii=False))
