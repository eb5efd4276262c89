"""The customer view rebuilt beside the live one: `python benchmarks/rebuild.py --customers 2000 --events 20000`.

Events of a made-up business go straight onto an embedded event log, the gateway's consumer makes the live view of them,
and a rebuild makes it again. Both rates are told, and whether the two views are equal byte for byte.
"""

import argparse
import asyncio
import cProfile
import pstats
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from crm_contracts.ids import TenantId
from crm_kit.bus import Record, TopicSpec
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.migrations import migrate
from crm_kit.db.provision import EventLogDatabase, ServiceDatabase, ServiceUrls, provision
from crm_kit.db.session import Database
from crm_kit.inbox import ConsumerRunner
from crm_kit.rebuild import Progress, Rebuild, open_rebuild
from crm_kit.settings import ServiceSettings
from crm_testkit.customer_world import World, moment, money
from crm_testkit.postgres import make_open_folder
from gateway.base import METADATA
from gateway.features.customers.consumers import VIEW

import gateway

_CUSTOMERS_A_TENANT = 1000
_CONTACTS_AN_ACCOUNT = 9
_WHAT_HAPPENS = "update update change change order deal ticket consent message activity".split()
_NAMES = ("欧阳晓梅", "王伟", "Anna Bauer", "José Ünal")


def business(customers: int, events: int, dice: random.Random) -> Iterator[list[Record]]:
    """The records of so many customers, a tenant at a time."""
    tenants = -(-customers // _CUSTOMERS_A_TENANT)
    for number in range(tenants):
        world = World(TenantId.new())
        mine = range(number * customers // tenants, (number + 1) * customers // tenants)
        _populate(world, len(mine), events * len(mine) // customers, dice)
        yield [Record(topic, event.subject, event.value(), event.headers()) for topic, event in world.events]


def _populate(world: World, customers: int, events: int, dice: random.Random) -> None:
    accounts: list[str] = []
    contacts: list[str] = []
    changeable: list[str] = []
    for number in range(customers):
        if number % (_CONTACTS_AN_ACCOUNT + 1) == 0:
            accounts.append(world.create("account")["id"])
        else:
            address = {"address": f"c{number}@example.com", "label": None, "primary": True, "verified": False}
            made = world.create("contact", account_id=accounts[-1], full_name=dice.choice(_NAMES), emails=[address])
            contacts.append(made["id"])
    while len(world.events) < events:
        whose = {"contact_id": dice.choice(contacts)}
        at, kind = moment(dice.randrange(100_000)), dice.choice(_WHAT_HAPPENS)
        if kind in ("update", "change"):
            changed = dice.choice(changeable if kind == "change" and changeable else contacts)
            world.update(changed, tags=[f"t{len(world.events)}"])
            continue
        made = world.create(kind, **whose, **_members(kind, at))
        if kind in ("order", "deal", "ticket"):
            changeable.append(made["id"])


def _members(kind: str, at: str) -> dict[str, object]:
    members: dict[str, dict[str, object]] = {
        "order": {"placed_at": at, "total": money("1999.00")},
        "deal": {"amount": money("128000.00")},
        "ticket": {"created_at": at},
        "message": {"queued_at": at},
    }
    return members.get(kind, {"at": at})


@dataclass(frozen=True)
class Stage:
    """A server with the two databases, and nothing running on them."""

    urls: ServiceUrls
    event_log_url: str

    @property
    def settings(self) -> ServiceSettings:
        return ServiceSettings(
            database_url=self.urls.app,
            system_database_url=self.urls.system,
            owner_database_url=self.urls.owner,
            event_log_url=self.event_log_url,
            environment="development",
            secret="only-for-benchmarks-0123456789abcdef",
        )


async def set_up(server: EmbeddedPostgres) -> Stage:
    view, events = ServiceDatabase("gateway", "owner", "app", "system"), EventLogDatabase("event_log")
    await provision(server.superuser_url(), view, events)
    urls = view.urls(server.superuser_url())
    await migrate(Path(gateway.__file__).parents[2] / "migrations", METADATA, urls.owner)
    return Stage(urls, events.url(server.superuser_url()))


async def fill(log: EmbeddedEventLog, customers: int, events: int) -> None:
    await log.ensure_topics([TopicSpec(topic.name) for topic in VIEW.topics])
    for records in business(customers, events, random.Random(1)):
        await log.publish(records)


async def build_live(stage: Stage, log: EmbeddedEventLog) -> float:
    """Seconds until the ordinary consumer has applied everything."""
    database = Database(stage.urls.app)
    running = asyncio.create_task(ConsumerRunner(VIEW, database, log, service="gateway").run())
    began = time.perf_counter()
    try:
        while any(lag.behind for lag in (await log.lag(VIEW.name, [topic.name for topic in VIEW.topics])).values()):
            await asyncio.sleep(0.2)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await database.close()
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
            stage = await set_up(server)
            log = EmbeddedEventLog(stage.event_log_url, compaction_interval=0)
            await log.start()
            await fill(log, customers, events)
            seconds = await build_live(stage, log)
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
