"""Rounds of writing and harm on one stack, each from its own seed, each with its verdict."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from crm_local.configuration import Bus, Configuration
from crm_local.run_folder import temporary_run_dir

from crm_testkit.chaos.checker import Anomaly
from crm_testkit.chaos.clients import Writer
from crm_testkit.chaos.history import History
from crm_testkit.chaos.mail_sink import MailSink
from crm_testkit.chaos.mailings import Mailings
from crm_testkit.chaos.marketer import Marketer
from crm_testkit.chaos.nemesis import Nemesis
from crm_testkit.chaos.observed import Told, newest_consent, verdicts
from crm_testkit.chaos.stack import ChaosStack
from crm_testkit.kafka_broker import RealKafka
from crm_testkit.kafka_cluster import KafkaCluster
from crm_testkit.kafka_maven import KafkaUnavailable

_TENANTS = 2
_WRITERS = 3
_ROUND_SECONDS = 180.0

_MAIL = {
    "SMTP_HOST": "127.0.0.1",
    "MAIL_FROM": "Relata <crm@example.com>",
    "SMTP_TIMEOUT_SECONDS": "2",
    "SMTP_RETRY_SECONDS": "0.3",
    "SEND_LEASE_SECONDS": "4",
    "CAMPAIGN_BATCH_SIZE": "3",
}
"""Impatient, and in small steps, so that faults fall between them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round: how much was acknowledged, what was done to the stack, what the checker found."""

    seed: str
    acknowledged: int
    unanswered: int
    faults: Sequence[str]
    anomalies: Sequence[Anomaly]
    messages: int
    mails: int
    seconds: float

    def __str__(self) -> str:
        verdict = f"{len(self.anomalies)} anomalies" if self.anomalies else "clean"
        head = f"seed {self.seed}: {self.acknowledged} writes acknowledged, {self.unanswered} unanswered"
        head += f", {self.messages} messages, {self.mails} mails"
        lines = [f"{head}, {len(self.faults)} faults, {self.seconds:.0f} s: {verdict}"]
        if self.anomalies:
            lines += [f"  fault   {fault}" for fault in self.faults]
            lines += [f"  anomaly {anomaly}" for anomaly in self.anomalies[:40]]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Arena:
    """Where rounds are played."""

    stack: ChaosStack
    kafka: KafkaCluster | RealKafka | None
    sink: MailSink


@asynccontextmanager
async def chaos_stack(bus: Bus, programs: Mapping[str, Sequence[str]] | None = None) -> AsyncIterator[Arena]:
    """A durable stack of real processes with a mail server, on Kafka with brokers of its own."""
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(temporary_run_dir())
        kafka = await opened.enter_async_context(kafka_of(bus, folder / "kafka"))
        sink = MailSink()
        sink.start()
        opened.callback(sink.stop)
        configuration = Configuration(run_dir=folder / "run", bus=bus, kafka=kafka.bootstrap_servers if kafka else "")
        stack = ChaosStack(
            configuration,
            {"RATE_LIMIT_QUOTA": "1000000", "SMTP_PORT": str(sink.port), **_MAIL},
            replication_factor=copies_in(kafka),
            programs=programs,
        )
        yield Arena(await opened.enter_async_context(stack), kafka, sink)


@asynccontextmanager
async def kafka_of(bus: Bus, folder: Path) -> AsyncIterator[KafkaCluster | RealKafka | None]:
    """Brokers of its own; None where the event log is the embedded one."""
    if bus != "kafka":
        yield None
        return
    kafka = await asyncio.to_thread(_started_kafka, folder)
    try:
        yield kafka
    finally:
        await asyncio.to_thread(kafka.release)


def copies_in(kafka: KafkaCluster | RealKafka | None) -> int:
    """The replication factor of topics."""
    return kafka.replication_factor if isinstance(kafka, KafkaCluster) else 1


def _started_kafka(folder: Path) -> KafkaCluster | RealKafka:
    """Several brokers where they can be had."""
    if not os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        cluster = KafkaCluster(folder / "cluster")
        try:
            return cluster.start()
        except KafkaUnavailable:
            cluster.release()
    return RealKafka(folder / "single").start()


async def play(
    arena: Arena,
    seed: str,
    *,
    faults: int,
    writes: int,
    only: Iterable[str] | None = None,
    pause: float = 2.0,
    settled: float = 90.0,
) -> Outcome:
    """Writes until `writes` are acknowledged and `faults` were endured, then checks; `settled` bounds the wait for rest."""
    started = time.monotonic()
    stack = arena.stack
    tenants = [await stack.new_tenant() for _ in range(_TENANTS)]
    told = {key: Told(History(tenant_id), Mailings(tenant_id)) for tenant_id, key in tenants}
    nemesis, stop = Nemesis(stack, arena.kafka, arena.sink, seed, pause=pause), asyncio.Event()
    drawn = random.Random(seed)

    async def harm() -> None:
        for _ in range(faults):
            await asyncio.sleep(drawn.uniform(0.2, 1.0))
            await nemesis.strike(only)
        while _acknowledged(told) < writes:
            await asyncio.sleep(0.05)
        stop.set()

    async with asyncio.timeout(_ROUND_SECONDS), asyncio.TaskGroup() as group:
        for place, (key, each) in enumerate(told.items()):
            shared: list[str] = []
            for number in range(_WRITERS):
                name = f"{seed}/{place}/{number}"
                group.create_task(Writer(stack.public_url, key, each.history, shared, name, stop).run())
            marketer = Marketer(
                *(stack.public_url, key, each.history, shared, f"{seed}/{place}/marketer", stop),
                mailings=each.mailings,
                known=partial(newest_consent, stack),
                sink=arena.sink,
            )
            group.create_task(marketer.run())
        group.create_task(harm())
    found = await verdicts(stack, told, arena.sink, nemesis.backlogs, settled)
    return Outcome(
        seed,
        _acknowledged(told),
        sum(not write.acknowledged for each in told.values() for write in each.history.writes),
        nemesis.done,
        found.anomalies,
        found.messages,
        found.mails,
        time.monotonic() - started,
    )


def _acknowledged(told: Mapping[str, Told]) -> int:
    return sum(each.history.acknowledged + each.mailings.acknowledged for each in told.values())
