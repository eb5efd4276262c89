"""How fast `GET /v1/customers?q=` is, over HTTP, and what it costs: `python benchmarks/search.py --customers 1000000`.

In a database of its own, through the projection's own code: 70 % Chinese names with the surnames' usual frequencies, the rest
Latin, with an e-mail address and a telephone each, half of them at one of many companies. Half an hour for a million. Of each query
the least and the median time are told, of each kind p50 and p95, and beside them those of the plain list in the same minute: by
these a busy machine is told.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from crm_contracts.ids import TenantId, new_id
from crm_contracts.types import format_timestamp
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.migrations import migrate
from crm_kit.db.provision import EventLogDatabase, ServiceDatabase, provision
from crm_kit.db.session import Database
from crm_kit.manifest import Feature, Manifest
from crm_testkit.customer_world import World
from crm_testkit.postgres import make_open_folder
from crm_testkit.service import running_service
from duplicates_chinese import _BUSINESSES, _COMPOUND, _GIVEN, _MAIL_HOSTS, _PLACES, _SURNAMES, _TRADES
from duplicates_data import zipf
from duplicates_dirty import _FIRST, _LAST
from gateway.features import customers
from gateway.features.customers import projection
from gateway.features.customers.compose import identities
from gateway.features.customers.search.fields import searched
from gateway.features.customers.search.grams import grams_of
from gateway.features.customers.search.writing import write_searched
from gateway.manifest import MANIFEST
from gateway.settings import GatewaySettings
from joserfc.jwk import OKPKey

_TENANT = TenantId.new()
_PIECE = 2_000
_ACCOUNTS = 20_000
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)

_QUERIES: Mapping[str, Sequence[str]] = {
    "exact": ("{email}", "{phone}", "{name}", "{company}"),
    "part, Chinese": ("晓梅", "国强", "欧阳", "诸葛", "琴瑶", "星河科技", "北京星河"),
    "part, Latin": ("Quentin", "ifer", "mith", "ichael Sm", "kowal", "{phone_part}", "{email_part}"),
    "pinyin": ("zhangwei", "zhang wei", "lixm", "ouyangxm", "zhugeliang", "wangxiaom", "xinghekeji", "zgl"),
    "sound": ("zangwei", "ouyanxiaomei", "liuxin", "niuyong"),
    "typo": ("Micheal", "Jenifer", "Rodrigeuz", "Kowalsky", "Schnieder", "Elizabteh Smith"),
    "several words": ("wang 星河", "Mary Smith 163", "张伟 科技", "li jie qq.com"),
    "common": ("王", "伟", "an", "a", "科技", "wang", "w", "13", "zhang", "wei", "gmail", "com"),
    "absent": ("不存在", "龘", "zzyzx", "nosuchname", "xqvz@", "99999999999", "张王李赵", "qx"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="A folder for the database, to be used again by the next run")
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    with make_open_folder() as folder, EmbeddedPostgres((arguments.keep or folder) / "postgres") as server:
        report = asyncio.run(_measure(server, folder, arguments.customers, arguments.rounds))
    print(json.dumps(report, indent=1, ensure_ascii=False))
    if arguments.report:
        arguments.report.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


async def _measure(server: EmbeddedPostgres, folder: Path, size: int, rounds: int) -> dict[str, Any]:
    database, log = ServiceDatabase("gateway", "owner", "app", "system"), EventLogDatabase("log")
    await provision(server.superuser_url(), database, log)
    urls = database.urls(server.superuser_url())
    await migrate(MANIFEST.migrations, MANIFEST.metadata, urls.owner)
    loading = await asyncpg.connect(server.superuser_url("gateway"), command_timeout=3600)
    report: dict[str, Any] = {"customers": size}
    tenant = await loading.fetchval("select tenant_id from customer_search limit 1")
    if tenant is None:
        tenant = _TENANT
        report |= await _load(loading, urls.app, size)
    report |= await _sizes(loading)
    report |= await _written(urls.app, tenant)
    report |= await _projected(urls.app)
    async with _serving(urls, log.url(server.superuser_url()), folder) as service:
        report["milliseconds"] = await _asked(lambda: service.tenant(tenant).client, loading, rounds)
    await loading.close()
    return report


@asynccontextmanager
async def _serving(urls: Any, event_log_url: str, folder: Path) -> Any:
    key = folder / "key.json"
    key.write_text(json.dumps(OKPKey.generate_key("Ed25519", {"kid": "gateway"}).as_dict(private=True)))

    @asynccontextmanager
    async def mint(app: Any, runtime: Any) -> Any:
        app.state.mint = runtime.settings.mint()
        yield

    manifest = Manifest(
        name="gateway",
        package="gateway",
        title="Relata gateway",
        summary="Customers",
        settings=GatewaySettings,
        metadata=MANIFEST.metadata,
        migrations=MANIFEST.migrations,
        features=(Feature(lifespan=mint), customers.FEATURE),
        publishes=(),
        database_settings=MANIFEST.database_settings,
    )
    nowhere = dict.fromkeys(("contacts_url", "pipeline_url", "tickets_url", "campaigns_url"), "http://127.0.0.1:1")
    async with running_service(
        manifest,
        urls,
        event_log_url,
        folder,
        signing_key_file=str(key),
        admin_key="only-for-measuring-0123456789",
        **nowhere,
    ) as service:
        yield service


def _contents(random_: random.Random, size: int) -> Iterator[dict[str, Any]]:
    accounts = []
    for number in range(min(_ACCOUNTS, size // 20)):
        name = f"{random_.choice(_PLACES)[1].removesuffix('市')}{_word(random_)}{random_.choice(_TRADES)}有限公司"
        if random_.random() < 0.3:
            name = (
                f"{random_.choice(_LAST)} {random_.choice(_LAST)} {random_.choice(('Ltd', 'Inc', 'GmbH', 'Trading'))}"
            )
        account = _profile(random_, "account", number, name=name, domain=None, phone=None)
        accounts.append(account)
        yield _content("account", account, None)
    for number in range(len(accounts), size):
        account = random_.choice(accounts) if accounts and random_.random() < 0.5 else None
        yield _content("contact", _person(random_, number), account)


def _word(random_: random.Random) -> str:
    return random_.choice(_BUSINESSES) if random_.random() < 0.3 else "".join(random_.choices(_GIVEN, k=2))


def _person(random_: random.Random, number: int) -> dict[str, Any]:
    if random_.random() < 0.7:
        surname = random_.choice(_COMPOUND) if random_.random() < 0.02 else zipf(random_, _SURNAMES)
        given = "".join(zipf(random_, _GIVEN) for _ in range(random_.choices((1, 2), weights=(1, 3))[0]))
        name, local = surname + given, f"{random_.choice(_FIRST).lower()}{random_.randrange(10**6)}"
        phone = f"+861{random_.choice('3578')}{random_.randrange(10**9):09}"
        names = {"first_name": given, "last_name": surname, "full_name": name}
    else:
        first, last = random_.choice(_FIRST), random_.choice(_LAST)
        names = {"first_name": first, "last_name": last, "full_name": f"{first} {last}"}
        local = f"{first}.{last.replace(' ', '')}{random_.randrange(10**4)}".lower()
        phone = f"+1{random_.randrange(201, 989)}{random_.randrange(200, 999)}{random_.randrange(10**4):04}"
    address = f"{local}@{zipf(random_, _MAIL_HOSTS)}"
    return _profile(
        random_, "contact", number, **names, wechat=None, emails=[{"address": address, "primary": True, "verified": False}],
        phones=[{"number": phone, "label": None}],
    )  # fmt: skip


def _profile(random_: random.Random, kind: str, number: int, **members: Any) -> dict[str, Any]:
    created = _BEGINNING + timedelta(seconds=number * 120 + random_.randrange(100))
    return {"id": new_id(kind), **members, "external_ids": {"erp": f"K{random_.randrange(10**8):08}"} if random_.random() < 0.2 else {},
            "created_at": format_timestamp(created), "archived_at": None}  # fmt: skip


def _content(kind: str, profile: dict[str, Any], account: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": profile["id"],
        "kind": kind,
        "profile": profile,
        "account": account,
        "identities": identities(profile),
    }


async def _load(loading: asyncpg.Connection, app_url: str, size: int) -> dict[str, Any]:
    random_ = random.Random(7)
    index = await loading.fetchval("select pg_get_indexdef('customer_search_grams'::regclass)")
    # What is not measured is left out, and the index made at the end, as a restore would.
    others = await loading.fetch(
        "select indexrelid::regclass::text as name from pg_index where indrelid = 'entity'::regclass and not indisprimary"
    )
    for name in ["customer_search_grams", *(row["name"] for row in others)]:
        await loading.execute(f"drop index {name}")
    database = Database(app_url, command_timeout=600)
    began, made = time.perf_counter(), 0
    piece: list[dict[str, Any]] = []
    for content in _contents(random_, size):
        piece.append(content)
        if len(piece) == _PIECE:
            made += len(piece)
            await _store(loading, database, piece)
            piece = []
            if made % 100_000 == 0:
                print(made, round(time.perf_counter() - began), "s", file=sys.stderr)
    await _store(loading, database, piece)
    await database.close()
    loaded = time.perf_counter()
    await loading.execute("set maintenance_work_mem = '256MB'")
    await loading.execute(index)
    indexed = time.perf_counter()
    await loading.execute("vacuum analyze customer_search, entity, customer_view")
    return {"loading seconds": round(loaded - began), "building the index seconds": round(indexed - loaded)}


async def _store(loading: asyncpg.Connection, database: Database, piece: Sequence[dict[str, Any]]) -> None:
    now = datetime.now(UTC)
    rows = [(_TENANT, each["id"], each["kind"], "contacts", 1, False, now, each["id"] if each["kind"] == "contact" else None,
             now, False, json.dumps(each["profile"])) for each in piece]  # fmt: skip
    await loading.copy_records_to_table(
        "entity", records=rows,
        columns=["tenant_id", "id", "type", "service", "version", "deleted", "time", "contact_id", "created_at", "open", "data"],
    )  # fmt: skip
    views = [(_TENANT, each["id"], each["kind"], each["profile"].get("full_name") or each["profile"].get("name"), 1, now,
              b"{}", b"", "{}", []) for each in piece]  # fmt: skip
    await loading.copy_records_to_table(
        "customer_view", records=views,
        columns=["tenant_id", "id", "kind", "name", "version", "as_of", "doc", "digest", "sources", "keys"],
    )  # fmt: skip
    async with database.write(_TENANT) as session:
        await write_searched(session, [searched(each) for each in piece])


async def _sizes(loading: asyncpg.Connection) -> dict[str, Any]:
    row = await loading.fetchrow(
        "select pg_total_relation_size('customer_search') / 1000000 as all, pg_relation_size('customer_search') / 1000000 as t,"
        " pg_relation_size('customer_search_grams') / 1000000 as g,"
        " (select avg(cardinality(grams)) from (select grams from customer_search limit 10000) as tried) as each"
    )
    return {
        "table MB": row["t"],
        "index of grams MB": row["g"],
        "with all indexes MB": row["all"],
        "grams each": round(float(row["each"])),
    }


async def _written(app_url: str, tenant: str) -> dict[str, Any]:
    """Of new customers: what the process reckons, and what PostgreSQL takes to write them."""
    contents = [each for each in _contents(random.Random(time.time()), 2_100) if each["kind"] == "contact"][:1_900]
    began = time.process_time()
    rows = [searched(each) for each in contents]
    made = time.process_time()
    for row in rows:
        grams_of(tenant, row)
    reckoned = time.process_time()
    database = Database(app_url)
    seconds = {}
    for piece in (1, 10, 100):
        start, written = time.perf_counter(), 0
        while written < 300:
            async with database.write(tenant) as session:
                await write_searched(session, [rows.pop() for _ in range(piece)])
                seconds.setdefault(piece, 0.0)
            written += piece
        seconds[piece] = (time.perf_counter() - start) / written
    await database.close()
    return {
        "texts of one, microseconds": round((made - began) / len(contents) * 1e6),
        "grams of one, microseconds": round((reckoned - made) / len(contents) * 1e6),
        "writing one, microseconds, by batches of": {str(size): round(each * 1e6) for size, each in seconds.items()},
    }


async def _projected(app_url: str) -> dict[str, Any]:
    """Events that the projection applies in a second, in batches of 100, with and without what is kept for the search, by turns."""
    database = Database(app_url, settings=MANIFEST.database_settings)
    world, random_ = World(TenantId.new()), random.Random(3)
    kept = (projection.write_searched, projection.write_numbers)

    async def nothing(*_: Any) -> None:
        return None

    seconds: dict[str, list[float]] = {}
    for turn in range(40):
        is_new, is_kept = turn // 2 % 2 == 0, turn % 2 == 0
        events = _a_batch(world, random_, is_new)
        projection.write_searched, projection.write_numbers = kept if is_kept else (nothing, nothing)
        began = time.perf_counter()
        async with database.write(world.tenant_id) as session:
            await projection.project(session, events)
        kind = ("new customers" if is_new else "orders and changes") + (", with search" if is_kept else ", without")
        seconds.setdefault(kind, []).append((time.perf_counter() - began) / len(events))
    projection.write_searched, projection.write_numbers = kept
    await database.close()
    return {"events a second": {kind: round(1 / sorted(each)[len(each) // 2]) for kind, each in seconds.items()}}


def _a_batch(world: World, random_: random.Random, is_new: bool) -> list[Any]:
    for _ in range(100):
        if is_new:
            person = _person(random_, 0)
            names = ("full_name", "first_name", "last_name", "emails", "phones")
            world.create("contact", **{name: person[name] for name in names})
        elif random_.random() < 0.5:
            contact = random_.choice(world.all_of("contact"))
            world.create("order", number=f"SO-{random_.randrange(10**9)}", contact_id=contact["id"])
        else:
            world.update(random_.choice(world.all_of("contact"))["id"], title=f"经理 {random_.random()}")
    events = [event for _, event in world.events]
    world.events.clear()
    return events


async def _asked(
    client_of: Callable[[], httpx.AsyncClient], loading: asyncpg.Connection, rounds: int
) -> dict[str, Any]:
    people = await loading.fetch(
        "select e.data::text as data from (select id from customer_search where kind = 'contact' offset 1000) s"
        " join entity e using (id) limit 2000"
    )
    profiles = [json.loads(row["data"]) for row in people]
    companies = [
        row["name"] for row in await loading.fetch("select name from customer_view where kind = 'account' limit 500")
    ]
    told: dict[str, Any] = {}
    for kind, queries in _QUERIES.items():
        taken: dict[str, list[float]] = {query: [] for query in queries}
        hits: dict[str, int] = {}
        listed: list[float] = []
        partial: dict[str, bool] = {}
        for _ in range(rounds):
            client = client_of()  # its token lives a minute
            began = time.perf_counter()
            (await client.get("/v1/customers")).raise_for_status()
            listed.append((time.perf_counter() - began) * 1000)
            for query in queries:
                asked = _filled(query, random.choice(profiles), random.choice(companies))
                began = time.perf_counter()
                answer = await client.get("/v1/customers", params={"q": asked})
                taken[query].append((time.perf_counter() - began) * 1000)
                assert answer.status_code == 200, answer.text
                body = answer.json()
                hits[query], partial[query] = len(body["data"]), bool(body["partial"])
        every = sorted(each for all_of in taken.values() for each in all_of[1:])
        told[kind] = {"p50": _at(every, 0.5), "p95": _at(every, 0.95), "list p50": _at(sorted(listed), 0.5)} | {
            query: f"{min(times):.1f} to {_at(sorted(times), 0.5)} ms, {hits[query]} hits{', partial' if partial[query] else ''}"
            for query, times in taken.items()
        }
        print(kind, json.dumps(told[kind], ensure_ascii=False), file=sys.stderr)
    return told


def _filled(query: str, profile: Mapping[str, Any], company: str) -> str:
    address, phone = profile["emails"][0]["address"], profile["phones"][0]["number"]
    return query.format(email=address, phone=phone, name=profile["full_name"], company=company,
                        phone_part=phone[4:11], email_part=address[2:10])  # fmt: skip


def _at(times: Sequence[float], share: float) -> float:
    return round(times[min(len(times) - 1, int(len(times) * share))], 1)


if __name__ == "__main__":
    main()
