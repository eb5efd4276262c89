"""Rounds of writing and harm on one stack, each from its own seed, each with its verdict."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
from crm_local.configuration import Bus, Configuration
from crm_local.run_folder import temporary_run_dir

from crm_testkit.chaos.checker import Anomaly
from crm_testkit.chaos.clients import Writer
from crm_testkit.chaos.history import History
from crm_testkit.chaos.nemesis import Nemesis
from crm_testkit.chaos.observed import anomalies
from crm_testkit.chaos.stack import ChaosStack
from crm_testkit.kafka_broker import RealKafka

_TENANTS = 2
_WRITERS = 3
_ROUND_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round: how much was acknowledged, what was done to the stack, what the checker found."""

    seed: str
    acknowledged: int
    unanswered: int
    faults: Sequence[str]
    anomalies: Sequence[Anomaly]
    seconds: float

    def __str__(self) -> str:
        verdict = f"{len(self.anomalies)} anomalies" if self.anomalies else "clean"
        head = f"seed {self.seed}: {self.acknowledged} writes acknowledged, {self.unanswered} unanswered"
        lines = [f"{head}, {len(self.faults)} faults, {self.seconds:.0f} s: {verdict}"]
        if self.anomalies:
            lines += [f"  fault   {fault}" for fault in self.faults]
            lines += [f"  anomaly {anomaly}" for anomaly in self.anomalies[:40]]
        return "\n".join(lines)


@asynccontextmanager
async def chaos_stack(
    bus: Bus, programs: Mapping[str, Sequence[str]] | None = None
) -> AsyncIterator[tuple[ChaosStack, RealKafka | None]]:
    """A durable stack of real processes, on Kafka with a broker of its own."""
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(temporary_run_dir())
        kafka: RealKafka | None = None
        if bus == "kafka":
            kafka = RealKafka(folder / "kafka")
            await asyncio.to_thread(kafka.start)
            opened.push_async_callback(asyncio.to_thread, kafka.release)
        configuration = Configuration(run_dir=folder / "run", bus=bus, kafka=kafka.bootstrap_servers if kafka else "")
        stack = ChaosStack(configuration, {"RATE_LIMIT_QUOTA": "1000000"}, programs=programs)
        yield await opened.enter_async_context(stack), kafka


async def play(
    stack: ChaosStack,
    kafka: RealKafka | None,
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
    histories = {key: History(tenant_id) for tenant_id, key in [await _tenant(stack) for _ in range(_TENANTS)]}
    nemesis, stop = Nemesis(stack, kafka, seed, pause=pause), asyncio.Event()
    drawn = random.Random(seed)

    async def harm() -> None:
        for _ in range(faults):
            await asyncio.sleep(drawn.uniform(0.2, 1.0))
            await nemesis.strike(only)
        while sum(history.acknowledged for history in histories.values()) < writes:
            await asyncio.sleep(0.05)
        stop.set()

    async with asyncio.timeout(_ROUND_SECONDS), asyncio.TaskGroup() as group:
        for key, history in histories.items():
            shared: list[str] = []
            for number in range(_WRITERS):
                writer = Writer(stack.public_url, key, history, shared, f"{seed}/{history.tenant_id}/{number}", stop)
                group.create_task(writer.run())
        group.create_task(harm())
    return Outcome(
        seed,
        sum(history.acknowledged for history in histories.values()),
        sum(not write.acknowledged for history in histories.values() for write in history.writes),
        nemesis.done,
        await anomalies(stack, histories, settled),
        time.monotonic() - started,
    )


async def _tenant(stack: ChaosStack) -> tuple[str, str]:
    headers = {"Authorization": f"Bearer {stack.dev['admin_key']}"}
    async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=30) as client:
        answer = await client.post("/v1/tenants", json={"name": "Chaos", "region": "CN"})
    answer.raise_for_status()
    return str(answer.json()["id"]), str(answer.json()["api_key"])
