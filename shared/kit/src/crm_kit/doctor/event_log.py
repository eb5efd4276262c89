"""The event log: reachable, its topics as they have to be, its consumers not behind."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from crm_kit.bus import AccessRefused, EventLog, EventLogError, TopicSpec, Unavailable, open_event_log
from crm_kit.doctor.findings import Finding, fault, names, ok, warning
from crm_kit.inbox import Consumer
from crm_kit.manifest import Manifest
from crm_kit.settings import ServiceSettings

_BEHIND: Final = 10_000
_IN_SYNC: Final = 2
_PATIENCE_SECONDS: Final = 30.0
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 2.0


async def look_at_event_log(manifest: Manifest, settings: ServiceSettings) -> AsyncIterator[Finding]:
    """All findings; without a connection only that there is none."""
    where = "Kafka" if settings.bus == "kafka" else "the embedded event log"
    log = open_event_log(settings)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await log.start()
        yield ok("event log", f"{where[:1].upper()}{where[1:]} answers and lets this service write.")
        if settings.bus == "kafka":
            async for finding in _topics(manifest, log, settings):
                yield finding
        for consumer in manifest.consumers:
            yield _lag(manifest, consumer.name, await _behind(log, consumer))
    except (EventLogError, TimeoutError) as error:
        advice = "KAFKA_BOOTSTRAP_SERVERS" if settings.bus == "kafka" else "EVENT_LOG_URL"
        said = str(error) or f"it did not answer in {_PATIENCE_SECONDS:.0f} s"
        yield fault("event log", f"{said.rstrip('.')}: is it there, and as {advice} and what goes with it say?")
    finally:
        await log.close()


async def _topics(manifest: Manifest, log: EventLog, settings: ServiceSettings) -> AsyncIterator[Finding]:
    # Imported here: a process on the embedded log should not pay for the Kafka client.
    from crm_kit.bus.kafka import KafkaEventLog

    assert isinstance(log, KafkaEventLog)
    found = await log.describe([topic.name for topic in manifest.topics])
    advice = f"create them as python -m {manifest.package} topics prints"
    if missing := [topic.name for topic in manifest.topics if topic.name not in found]:
        yield fault("topics", f"Topics are missing: {names(missing)}; {advice}.")
    spec = TopicSpec("")
    if wrong := [name for name, topic in found.items() if topic.partitions != spec.partitions]:
        yield fault(
            "topics",
            f"Not {spec.partitions} partitions have {names(wrong)}: keys would move; make the topics anew, never add to them.",
        )
    if wrong := [name for name, topic in found.items() if topic.config.get("cleanup.policy") != "compact"]:
        yield fault(
            "topics", f"Not compacted are {names(wrong)}: views could not be rebuilt; set cleanup.policy=compact."
        )
    if leaderless := [name for name, topic in found.items() if topic.leaderless]:
        yield fault("topics", f"No leader has a partition of {names(leaderless)}: look at the brokers.")
    alone = [name for name, topic in found.items() if topic.replication < _IN_SYNC + 1]
    lax = [name for name, topic in found.items() if int(topic.config.get("min.insync.replicas", "1")) < _IN_SYNC]
    if settings.environment != "development" and (alone or lax):
        yield warning(
            "topics",
            f"One broker's loss may lose events of {names({*alone, *lax})}: replicate three times, min.insync.replicas=2.",
        )
    if len(found) == len(manifest.topics):
        yield ok("topics", f"All {len(found)} topics exist.")


async def _behind(log: EventLog, consumer: Consumer) -> int:
    """Asked again for a while: a new Kafka makes the place where groups are kept when it is first asked for one."""
    tries = 0
    while True:
        try:
            lags = await log.lag(consumer.name, [topic.name for topic in consumer.topics])
        except Unavailable as error:
            tries += 1
            if isinstance(error, AccessRefused) or tries == _TRIES:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return sum(lag.behind for lag in lags.values())


def _lag(manifest: Manifest, consumer: str, behind: int) -> Finding:
    if behind > _BEHIND:
        advice = f"do processes of python -m {manifest.package} consume run, and enough of them"
        return warning("consumers", f"{consumer} is {behind} events behind: {advice}?")
    return ok("consumers", f"{consumer} is {behind} events behind.")
