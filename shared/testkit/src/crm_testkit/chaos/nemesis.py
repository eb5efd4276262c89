"""Does harm, one fault at a time, and leaves everything as it should be able to stand it."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg
from crm_contracts.registry import TOPICS
from crm_kit.bus import EventLogError, Record, TopicPartition
from crm_local.configuration import MODULES, PROCESSES
from crm_local.ports import find_free_ports

from crm_testkit.chaos.backlog import Backlog, pile_up
from crm_testkit.chaos.mail_sink import HARMS, MailSink
from crm_testkit.chaos.stack import DATABASE_FAULTS, ChaosStack
from crm_testkit.kafka_broker import RealKafka
from crm_testkit.kafka_cluster import NODES, KafkaCluster

_REPEATED: Final = ("contact", "deal", "ticket")


class Nemesis:
    """Draws faults; `kafka` is the stack's own, None on the embedded log; `sink` its mail server.

    `pause`: seconds that a process is stopped; longer than the consumers' session time-out (ten) in long runs.
    """

    def __init__(
        self,
        stack: ChaosStack,
        kafka: KafkaCluster | RealKafka | None,
        sink: MailSink,
        seed: str,
        *,
        pause: float = 2.0,
    ) -> None:
        self._stack = stack
        self._kafka = kafka
        self._random = random.Random(seed)
        self._pause = pause
        self._sink = sink
        self.done: list[str] = []
        self.backlogs: list[Backlog] = []
        self.faults: dict[str, Callable[[], Awaitable[str]]] = {
            "kill a process": self._kill,
            "kill PostgreSQL": self._kill_postgres,
            "kill connections of PostgreSQL": self._kill_backends,
            "stop a process for a while": self._stop_for_a_while,
            "harm a connection": self._harm_link,
            "reset connections": self._reset_link,
            "a second relay": self._second_relay,
            "a second consumer": self._second_consumer,
            "a service is away": self._away,
            "old events again": self._repeat_events,
            "a consumer far behind": self._fall_behind,
            "harm the mail server": self._harm_mail,
        }
        if stack.clocks is not None:
            self.faults["move a clock"] = self._move_clock
        if isinstance(kafka, KafkaCluster):
            self.faults |= {"kill a broker": self._kill_broker, "restart a broker": self._restart_broker}
        if kafka is not None:
            self.faults |= {"kill Kafka": self._kill_kafka, "restart Kafka": self._restart_kafka}

    async def strike(self, only: Iterable[str] | None = None) -> None:
        """One fault, begun, endured and ended."""
        name = self._random.choice(sorted(only or self.faults))
        self.done.append(f"{name}: {await self.faults[name]()}")

    async def _kill(self) -> str:
        name = self._random.choice(PROCESSES)
        with suppress(KeyError):  # it is just being started again
            self._stack.kill(name)
        return name

    async def _kill_postgres(self) -> str:
        with suppress(KeyError):
            self._stack.kill("postgres")
        return "SIGKILL"

    async def _kill_backends(self) -> str:
        statement = (
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where backend_type = 'client backend' and pid <> pg_backend_pid() and random() < 0.5"
        )
        with suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(self._stack.server_url, timeout=5)
            try:
                return f"{len(await connection.fetch(statement))} of them"
            finally:
                await connection.close()
        return "PostgreSQL was away"

    async def _stop_for_a_while(self) -> str:
        name = self._random.choice(PROCESSES)
        seconds = self._random.uniform(0.5, 1.0) * self._pause
        with suppress(KeyError, ProcessLookupError):
            pid = self._stack.pids[name]
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                os.kill(pid, signal.SIGCONT)
        return f"{name} for {seconds:.1f} s"

    async def _harm_link(self) -> str:
        name = self._random.choice(sorted(self._stack.links))
        link = self._stack.links[name]
        link.harm = self._random.choice(("latency", "throttle", "half-open", "cut"))
        seconds, harm = self._random.uniform(0.5, 2.0), link.harm
        await asyncio.sleep(seconds)
        link.harm = "none"
        return f"{name} {harm} for {seconds:.1f} s"

    async def _reset_link(self) -> str:
        name = self._random.choice(sorted(self._stack.links))
        for _ in range(5):
            self._stack.links[name].reset()
            await asyncio.sleep(self._random.uniform(0.02, 0.3))
        return name

    async def _second_relay(self) -> str:
        name = self._random.choice([each for each in PROCESSES if each != "gateway"])
        await self._second(name, "relay")
        return name

    async def _second_consumer(self) -> str:
        name = self._random.choice(["gateway", "campaigns"])
        await self._second(name, "consume")
        return name

    async def _second(self, name: str, role: str) -> None:
        """Another process of a role for some seconds, ended without a farewell."""
        (port,) = find_free_ports(1)
        environment: Mapping[str, str] = {**self._stack.environment_of(name), "PORT": str(port)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", MODULES[name], role),
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.sleep(self._random.uniform(2.5, 4.0))
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _away(self) -> str:
        """Its consumers fall far behind meanwhile."""
        name = self._random.choice([each for each in PROCESSES if each != "gateway"])
        seconds = self._random.uniform(1.0, 4.0)
        async with self._without(name):
            await asyncio.sleep(seconds)
        return f"{name} for {seconds:.1f} s"

    @asynccontextmanager
    async def _without(self, name: str) -> AsyncIterator[None]:
        try:
            with suppress(KeyError):  # it is just being started again
                await self._stack.take_down(name)
            yield
        finally:
            await self._stack.bring_back(name, 60)

    async def _fall_behind(self) -> str:
        """Thousands of events wait for a consumer, which another fault meets while it catches up."""
        name = self._random.choice(["gateway", "campaigns"])
        try:
            async with self._without(name):
                self.backlogs.append(await pile_up(self._stack))
        except (EventLogError, *DATABASE_FAULTS) as error:
            return f"{name}; the log was away ({type(error).__name__})"
        another = self._random.choice(sorted(set(self.faults) - {"a consumer far behind"}))
        return f"{name}, then {another}: {await self.faults[another]()}"

    async def _harm_mail(self) -> str:
        self._sink.harm = self._random.choice(HARMS)
        seconds, harm = self._random.uniform(1.0, 3.0), self._sink.harm
        await asyncio.sleep(seconds)
        self._sink.harm = "none"
        return f"{harm} for {seconds:.1f} s"

    async def _move_clock(self) -> str:
        """By minutes: of one process, or of the machine that all but PostgreSQL run on."""
        clocks = self._stack.clocks
        assert clocks is not None
        moved = self._random.choice([PROCESSES, (self._random.choice(PROCESSES),)])
        shift = self._random.choice((-1, 1)) * self._random.randint(60, 280)
        seconds = self._random.uniform(1.5, 4.0)
        for name in moved:
            clocks.move(name, shift)
        try:
            await asyncio.sleep(seconds)
        finally:
            for name in moved:
                clocks.move(name, 0)
        return f"{', '.join(moved)} by {shift:+d} s for {seconds:.1f} s"

    async def _repeat_events(self) -> str:
        """As a relay does that was stopped after publishing and before deleting: late, behind newer ones."""
        log = self._stack.event_log()
        try:
            await log.start()
            topic = self._random.choice([topic.name for topic in TOPICS if topic.entity in _REPEATED])
            positions = _NearTheEnd({tp: lag.end for tp, lag in (await log.lag("nemesis", [topic])).items()})
            subscription = await log.subscribe(f"nemesis-{self._random.random()}", [topic], positions)
            try:
                found = [one for records in (await subscription.poll(200, 5)).values() for one in records]
            finally:
                await subscription.close()
            newest = {one.key: one.offset for one in found}
            again = [Record(o.topic, o.key, o.value, o.headers) for o in found if o.offset < newest[o.key]]
            await log.publish(again)
        except (EventLogError, *DATABASE_FAULTS) as error:
            return f"the log was away ({type(error).__name__})"
        finally:
            await log.close()
        return f"{len(again)} of {topic}"

    async def _kill_kafka(self) -> str:
        return await self._without_kafka("kill")

    async def _restart_kafka(self) -> str:
        return await self._without_kafka("stop")

    async def _kill_broker(self) -> str:
        return await self._without_broker("kill")

    async def _restart_broker(self) -> str:
        return await self._without_broker("stop")

    async def _without_broker(self, how: str) -> str:
        """Over the time that the others need to take its partitions, groups and the cluster's control over."""
        assert isinstance(self._kafka, KafkaCluster)
        number, seconds = self._random.randrange(NODES), self._random.uniform(0.5, 5.0)
        await asyncio.to_thread(self._kafka.kill_one if how == "kill" else self._kafka.stop_one, number)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._kafka.start)
        return f"{how} {number + 1} for {seconds:.1f} s"

    async def _without_kafka(self, how: str) -> str:
        assert self._kafka is not None
        await asyncio.to_thread(getattr(self._kafka, how))
        await asyncio.sleep(self._random.uniform(0.0, 2.0))
        await asyncio.to_thread(self._kafka.start)
        return how


class _NearTheEnd:
    """Positions a little before the ends of all partitions."""

    def __init__(self, ends: Mapping[TopicPartition, int]) -> None:
        self._ends = ends

    async def load(self, _group: str, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {tp: max(0, self._ends.get(tp, 0) - 50) for tp in partitions}
