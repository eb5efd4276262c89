"""The customer view rebuilt beside the live one: `python benchmarks/rebuild.py --customers 2000 --events 20000`.

Events of a made-up business go straight onto an embedded event log, the gateway's consumer makes the live view of them,
and a rebuild makes it again. Both rates are told, and whether the two views are equal byte for byte.
"""

import argparse
import asyncio
import cProfile
import pstats
import time

import asyncpg
from business import Stage, business, set_up
from crm_kit.bus import TopicSpec
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.rebuild import Progress, Rebuild, open_rebuild
from crm_kit.runtime import Runtime
from crm_testkit.postgres import make_open_folder
from gateway.features.customers.consumers import VIEW
from gateway.manifest import MANIFEST


async def fill(log: EmbeddedEventLog, customers: int, events: int) -> None:
    await log.ensure_topics([TopicSpec(topic.name) for topic in VIEW.topics])
    for _, records in business(customers, events):
        await log.publish(records)


async def build_live(server: EmbeddedPostgres, stage: Stage, log: EmbeddedEventLog) -> float:
    """Seconds until the ordinary consumer has applied everything, and every view is composed."""
    topics = [topic.name for topic in VIEW.topics]
    connection = await asyncpg.connect(server.superuser_url("gateway"))
    began = time.perf_counter()
    try:
        async with Runtime(MANIFEST, stage.settings, ["consume"]).running():
            while any(lag.behind for lag in (await log.lag(VIEW.name, topics)).values()):
                await asyncio.sleep(0.2)
            while await connection.fetchval("select exists (select from stale_customer)"):
                await asyncio.sleep(0.2)
    finally:
        await connection.close()
    return time.perf_counter() - began


async def fingerprint(server: EmbeddedPostgres) -> tuple[int, str]:
    """How many views there are, and a hash over every byte of their rows."""
    connection = await asyncpg.connect(server.superuser_url("gateway"))
    try:
        row = await connection.fetchrow(
            "select count(*), coalesce(md5(string_agg(md5(cast(v as text)), '' order by tenant_id, id)), '')"
            " from public.customer_view v"
        )
        return row[0], row[1]
    finally:
        await connection.close()


async def profiled(rebuild: Rebuild, profile: bool) -> None:
    if not profile:
        await rebuild.run()
        return
    with cProfile.Profile() as profiler:
        await rebuild.run()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(30)


async def main(customers: int, events: int, profile: bool) -> int:
    with make_open_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres").start()
        try:
            stage = await set_up(server, folder)
            log = EmbeddedEventLog(stage.event_log_url, compaction_interval=0)
            await log.start()
            await fill(log, customers, events)
            seconds = await build_live(server, stage, log)
            print(f"live view: {events:,} events in {seconds:.1f} s, {events / seconds:,.0f} events/s", flush=True)
            await log.close()
            before = await fingerprint(server)
            began = time.perf_counter()
            async with open_rebuild(VIEW, stage.settings, "gateway", Progress(VIEW.name)) as rebuild:
                await profiled(rebuild, profile)
            seconds = time.perf_counter() - began
            after = await fingerprint(server)
        finally:
            server.stop()
    print(f"rebuild: {events:,} events in {seconds:.1f} s, {events / seconds:,.0f} events/s, comparing included")
    print(
        f"{before[0]:,} views before, {after[0]:,} after: {'equal' if before == after else 'NOT equal'} byte for byte"
    )
    return 0 if before == after else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true", help="print where the rebuild spends its time")
    chosen = parser.parse_args()
    raise SystemExit(asyncio.run(main(chosen.customers, chosen.events, chosen.profile)))
