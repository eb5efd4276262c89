"""Milliseconds from a change to its view: `python benchmarks/freshness.py --bus kafka --rates 50,200`.

Single writes go through the gateway at a steady rate, whether the ones before were answered or not. Of creates PostgreSQL
itself tells when contact and view were committed. Of both kinds the gateway's histogram tells how long after the change,
some milliseconds before its commit, the view was committed. The client, the whole stack, PostgreSQL and Kafka share the
machine.
"""

import argparse
import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.kafka_broker import RealKafka
from load import at_rate, numbered, percentile
from writes import requests_of

_SETTLED_SECONDS = 2.0
_NUMBERS = itertools.count()
"""One for all: a number makes an idempotency key, and a second write under it would be a replay."""
_BUCKET = re.compile(r'crm_consumer_delay_seconds_bucket\{consumer="gateway\.view",le="([^"]+)",[^}]*\} ([0-9.e+]+)')


async def _delays(client: httpx.AsyncClient) -> dict[float, float]:
    """Events by the time from the entity's change to its view's commit."""
    text = (await client.get("/metrics")).text
    return {float(bound.replace("+Inf", "inf")): float(count) for bound, count in _BUCKET.findall(text)}


def _quantile(counts: dict[float, float], share: float) -> float:
    """Interpolated within its bucket, as PromQL's histogram_quantile does."""
    wanted, low, below = max(counts.values()) * share, 0.0, 0.0
    for bound, count in sorted(counts.items()):
        if count >= wanted:
            return round((low + (bound - low) * (wanted - below) / max(count - below, 1)) * 1000, 1)
        low, below = bound, count
    return float("inf")


async def freshness(
    client: httpx.AsyncClient, *, rate: float, seconds: float, kind: str, commits_of: LocalStack | None = None
) -> dict[str, float]:
    """p50 and p99 of change to view at `rate` writes a second, and of the writes' own answers, in milliseconds.

    `commits_of`: a stack whose PostgreSQL keeps commit times; of creates it then tells commit to view too.
    """
    make = numbered(await requests_of(client, kind), _NUMBERS)
    gateway = str(client.base_url).rstrip("/")
    await at_rate(gateway, make, rate=rate, seconds=2)
    await asyncio.sleep(_SETTLED_SECONDS)
    before, began = await _delays(client), datetime.now(UTC)
    answers = await at_rate(gateway, make, rate=rate, seconds=seconds)
    await asyncio.sleep(_SETTLED_SECONDS)
    counts = {bound: count - before.get(bound, 0) for bound, count in (await _delays(client)).items()}
    found = {
        "p50": _quantile(counts, 0.5),
        "p99": _quantile(counts, 0.99),
        "events": max(counts.values()),
        "answer p50": round(percentile(answers, 50), 1),
        "answer p99": round(percentile(answers, 99), 1),
    }
    if kind == "create" and commits_of is not None:
        found |= await commit_to_view(commits_of, began)
    return found


async def commit_to_view(stack: LocalStack, began: datetime) -> dict[str, float]:
    """p50 and p99 in milliseconds of the contacts made since then: from their commit to the commit of their views."""
    commits: dict[str, dict[str, datetime]] = {}
    for database, select in (
        ("contacts", "contact where created_at > $1"),
        ("gateway", "customer_view where as_of > $1"),
    ):
        connection = await asyncpg.connect(stack.database_url(database))
        rows = await connection.fetch(f"select id, pg_xact_commit_timestamp(xmin) as at from {select}", began)
        commits[database] = {row["id"]: row["at"] for row in rows}
        await connection.close()
    views = commits["gateway"]
    times = [(views[one] - at).total_seconds() * 1000 for one, at in commits["contacts"].items() if one in views]
    missing = len(commits["contacts"]) - len(times)
    return {
        "commit to view p50": round(percentile(times, 50), 1),
        "commit to view p99": round(percentile(times, 99), 1),
        "without view": missing,
    }


@asynccontextmanager
async def stack_with_commit_times(configuration: Configuration) -> AsyncIterator[LocalStack]:
    """A stack whose PostgreSQL remembers when what was committed."""
    async with LocalStack(configuration):
        pass
    [settings] = configuration.run_dir.rglob("postgresql.auto.conf")
    with settings.open("a") as file:
        file.write("track_commit_timestamp = on\n")
    async with LocalStack(configuration) as stack:
        yield stack


async def main(bus: str, rates: list[float], kinds: list[str], seconds: float) -> None:
    with ExitStack() as opened:
        folder = opened.enter_context(temporary_run_dir())
        kafka = opened.enter_context(RealKafka(Path(folder) / "kafka")).bootstrap_servers if bus == "kafka" else ""
        configuration = Configuration(run_dir=Path(folder) / "run", bus="kafka" if kafka else "embedded", kafka=kafka)
        async with stack_with_commit_times(configuration) as stack:
            headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
            async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=30) as client:
                await asyncio.sleep(2)
                for kind, rate in itertools.product(kinds, rates):
                    found = await freshness(client, rate=rate, seconds=seconds, kind=kind, commits_of=stack)
                    print(f"{bus}, {kind} at {rate:.0f}/s: change to view, ms: {found}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bus", choices=["embedded", "kafka"], default="embedded")
    parser.add_argument("--rates", default="50,100,200", help="writes a second")
    parser.add_argument("--kinds", default="patch,create")
    parser.add_argument("--seconds", type=float, default=15, help="of each")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.bus, [float(r) for r in chosen.rates.split(",")], chosen.kinds.split(","), chosen.seconds))
