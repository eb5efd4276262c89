"""A burst, and a consumer that was away: `python benchmarks/backpressure.py --burst 20000 --outage 180000`.

On a whole stack of real processes, whose gateway consumes in a process of its own. Told are the largest resident size of
every process, how long single writes at the usual rate take before, during and after, and how fast is caught up.

Burst: as many changes as the batch routes take at once, `--burst` in all. Outage: the gateway's consumer is down while
`--outage` events come onto the log; 180,000 are an hour's at 50 a second. They are real changes of the contacts, made by
SQL: it is the catching up that is measured.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import httpx
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.beside import beside
from crm_testkit.piled_changes import pile_up_changes
from crm_testkit.soak.memory import peak_mb, processes
from load import at_rate, numbered, percentile
from settling import caught_up
from writes import patches

_USUAL = 20.0
"""Writes a second, of which the time is taken."""
_BATCH = 100
_AT_ONCE = 8
_CONTACTS = 200
_PILED = 2000
"""Contacts whose changes pile up."""
_ON_THEIR_WAY = 50
"""Of the usual writes."""


class Bench:
    """The stack, its client, and the processes whose peaks are told."""

    def __init__(self, stack: LocalStack, client: httpx.AsyncClient) -> None:
        self.stack, self.client = stack, client
        self.pids = {name: pid for name, pid in stack.pids.items() if name != "postgres"}
        self._headers = {**client.headers, "Content-Type": "application/json"}
        self._numbers = iter(range(10**9))

    async def create(self, count: int) -> list[str]:
        """The ids of so many new contacts."""
        ids: list[str] = []
        for start in range(0, count, _BATCH):
            made = range(start, min(count, start + _BATCH))
            ids += await self.batch([{"method": "create", "data": {"full_name": f"客户 {number}"}} for number in made])
        return ids

    async def batch(self, operations: list[dict[str, Any]]) -> list[str]:
        answer = await self.client.post("/v1/contacts/batch", json={"operations": operations})
        answer.raise_for_status()
        return [result["id"] for result in answer.json()["results"]]

    async def latency(self, ids: list[str], until: "asyncio.Future[Any] | None", seconds: float) -> str:
        """p50 and p99 of single writes at the usual rate, for so long, or in pieces of that until something is done."""
        headers = {name: value for name, value in self._headers.items() if name.lower() != "host"}
        make = numbered(patches(self.stack.urls["gateway"], headers, ids), self._numbers)
        times = await at_rate(self.stack.urls["gateway"], make, rate=_USUAL, seconds=seconds)
        while until is not None and not until.done():
            times += await at_rate(self.stack.urls["gateway"], make, rate=_USUAL, seconds=seconds)
        return f"p50 {percentile(times, 50):.1f} ms, p99 {percentile(times, 99):.1f} ms of {len(times)} writes"

    def tell_peaks(self, when: str) -> None:
        alive = {name: pid for name, pid in self.pids.items() if processes(pid)}
        print(f"peak MB {when}: " + ", ".join(f"{name} {peak_mb(pid):.0f}" for name, pid in alive.items()), flush=True)


async def burst(bench: Bench, changes: int, usual: list[str], ids: list[str]) -> None:
    """So many changes by batches, several at once, while the usual writes go on."""
    began = time.perf_counter()
    starts = iter(range(0, changes, _BATCH))

    async def client() -> None:
        for start in starts:
            await bench.batch(
                [
                    {"method": "update", "id": ids[number % len(ids)], "data": {"title": f"B{number}"}}
                    for number in range(start, start + _BATCH)
                ]
            )

    sending = asyncio.gather(*(client() for _ in range(_AT_ONCE)))
    print("during the burst:", await bench.latency(usual, sending, 2))
    await sending
    seconds = time.perf_counter() - began
    everything = await caught_up(bench.stack, but_for=_ON_THEIR_WAY) - began
    print(
        f"burst: {changes:,} changes in {seconds:.1f} s, {changes / seconds:,.0f}/s;"
        f" in all views {everything - seconds:.1f} s later"
    )


async def outage(bench: Bench, events: int, usual: list[str]) -> None:
    """The consumer starts when `events` wait for it. Each time has the start of its process in it, some two seconds."""
    began = time.perf_counter()
    async with beside(bench.stack, "contacts", "relay") as relay:
        assert relay.pid is not None
        bench.pids["relay"] = relay.pid
        outbox = await asyncpg.connect(bench.stack.database_url("contacts"))
        while await outbox.fetchval("select exists (select from outbox)"):
            await asyncio.sleep(0.1)
        seconds = time.perf_counter() - began
        await outbox.close()
        print(f"outage: {events:,} events relayed in {seconds:.1f} s, {events / seconds:,.0f}/s")
        began = time.perf_counter()
        async with beside(bench.stack, "gateway", "consume") as consumer:
            assert consumer.pid is not None
            bench.pids["consumer"] = consumer.pid
            catching_up = asyncio.ensure_future(caught_up(bench.stack, but_for=_ON_THEIR_WAY))
            print("during the catching up:", await bench.latency(usual, catching_up, 2))
            done_at = await catching_up
            everything = done_at - began
            print(f"caught up in {everything:.1f} s, {events / everything:,.0f} events/s,"
                  f" {events / everything / 50:.1f} times 50 a second")  # fmt: skip
            bench.tell_peaks("after the outage")
            print("after:", await bench.latency(usual, None, 5))


@asynccontextmanager
async def started() -> AsyncIterator[Bench]:
    """contacts-svc without its relay, the gateway without its consumer: both are started beside, or not yet."""
    roles = {"contacts": ("contacts_svc", "api,consume,timers"), "gateway": ("gateway", "api,relay,timers")}
    programs = {name: (sys.executable, "-m", module, "serve", "--only", only) for name, (module, only) in roles.items()}
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(temporary_run_dir())
        stack = await opened.enter_async_context(LocalStack(Configuration(run_dir=folder), programs=programs))
        headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
        client = httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=60)
        yield Bench(stack, await opened.enter_async_context(client))


async def main(changes: int, events: int) -> None:
    async with started() as bench:
        piled = await bench.create(_PILED)
        made = await pile_up_changes(bench.stack, str(bench.stack.dev["tenant_id"]), 1 + max(1, events // len(piled)))
        usual = await bench.create(_CONTACTS)
        bench.tell_peaks("at first")
        print("before:", await bench.latency(usual, None, 5))
        await outage(bench, made, usual)
        async with (
            beside(bench.stack, "contacts", "relay") as relay,
            beside(bench.stack, "gateway", "consume") as consumer,
        ):
            assert relay.pid is not None
            assert consumer.pid is not None
            bench.pids |= {"relay": relay.pid, "consumer": consumer.pid}
            print("before the burst:", await bench.latency(usual, None, 5))
            await burst(bench, changes, usual, piled)
            bench.tell_peaks("after the burst")
            print("after:", await bench.latency(usual, None, 5))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--burst", type=int, default=20_000, help="changes")
    parser.add_argument("--outage", type=int, default=180_000, help="events")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.burst, chosen.outage))
