"""What digests cost: `python benchmarks/digests.py --orders 100000`.

A year of orders by day and by month, of four fields, as long as it takes; the records of one day; what a reader of lists and of single
orders notices meanwhile, in turns with and without; and how long the other side takes that reads all of them as a list.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from crm_contracts.ids import OrderId
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.provision import EventLogDatabase, ServiceDatabase, provision
from crm_kit.db.rows import written_columns
from crm_kit.observability.logs import configure_logs
from crm_testkit.postgres import make_open_folder
from crm_testkit.service import ServiceUnderTest, Tenant, running_service
from pipeline_svc.features.orders.models import OrderRow
from pipeline_svc.manifest import MANIFEST

_YEAR: Final = {
    "from": "2026-01-01",
    "to": "2027-01-01",
    "tz": "Asia/Shanghai",
    "fields": "external_id,total,currency,status",
}
_ROUNDS: Final = 5
_READS: Final = 300

_COLUMNS: Final = [f'"{column.name}"' for column in written_columns(OrderRow)]
_FILL: Final = f"""
    insert into sales_order ({", ".join(_COLUMNS)}) select {", ".join(f"new.{name}" for name in _COLUMNS)}
      from sales_order o, unnest($2::text[]) with ordinality as given(id, n),
           jsonb_populate_record(o, jsonb_build_object(
               'id', given.id, 'number', 'SO-' || n, 'external_id', 'e' || n, 'total_amount', n % 100000,
               'placed_at', timestamptz '2026-01-01 00:00+08' + n * interval '365 days' / $3::integer)) as new
     where o.id = $1
"""
"""Copies of one order, spread over the year."""


async def _all_pages(again: Callable[[], Tenant], path: str, asked: dict[str, Any]) -> tuple[int, list[float]]:
    """How many entries there are, and what each page took."""
    found, took, cursor = 0, list[float](), dict[str, str]()
    while True:
        began = time.perf_counter()
        page = await again().read(path, **asked, **cursor)
        took.append(time.perf_counter() - began)
        found += len(page["data"])
        if page["next_cursor"] is None:
            return found, took
        cursor = {"cursor": page["next_cursor"]}


async def _reads(tenant: Tenant, order_id: str) -> list[float]:
    took = []
    for number in range(_READS):
        began = time.perf_counter()
        path = f"/v1/orders/{order_id}" if number % 2 else "/v1/orders?limit=20"
        await tenant.read(path)
        took.append(time.perf_counter() - began)
    return took


def _told(took: list[float]) -> str:
    return f"p50 {statistics.median(took) * 1000:.1f} ms, p95 {statistics.quantiles(took, n=20)[18] * 1000:.1f} ms"


async def _beside(again: Callable[[], Tenant], order_id: str) -> None:
    quiet, busy = list[float](), list[float]()

    async def without_end() -> None:
        while True:
            await _all_pages(again, "/v1/digests/orders", _YEAR)

    for _ in range(_ROUNDS):
        quiet += await _reads(again(), order_id)
        digesting = asyncio.create_task(without_end())
        busy += await _reads(again(), order_id)
        digesting.cancel()
        await asyncio.gather(digesting, return_exceptions=True)
    print(f"reads of lists and orders, alone: {_told(quiet)}")
    print(f"  beside digests without end: {_told(busy)}")


async def _timed(name: str, work: Callable[[], Awaitable[tuple[int, list[float]]]]) -> None:
    totals, longest, entries, pages = list[float](), list[float](), 0, 0
    for _ in range(_ROUNDS):
        entries, took = await work()
        totals.append(sum(took))
        longest.append(max(took))
        pages = len(took)
    print(
        f"{name}: {entries} entries in {pages} answers, {statistics.median(totals):.2f} s,"
        f" the longest answer {statistics.median(longest) * 1000:.0f} ms (medians of {_ROUNDS})"
    )


async def measured(service: ServiceUnderTest, superuser: str, orders: int) -> None:
    tenant = service.tenant()

    def again() -> Tenant:
        """With a token that is good for a minute from now."""
        return service.tenant(tenant.id)

    line = {"name": "滤芯", "sku": "LX-1", "quantity": "2", "unit_price": {"amount": "999.50", "currency": "CNY"}}
    first = await tenant.create(
        "/v1/orders", lines=[line] * 3, status="paid", source="shop", placed_at="2020-01-01T00:00:00Z"
    )
    connection = await asyncpg.connect(superuser)
    await connection.execute(_FILL, first["id"], [OrderId.new() for _ in range(orders)], orders)
    await connection.execute("vacuum analyze sales_order")
    await connection.close()
    for bucket in ("day", "hour"):
        asked = {**_YEAR, "bucket": bucket, "limit": 1000}
        await _timed(
            f"{orders:,} orders by {bucket}", lambda asked=asked: _all_pages(again, "/v1/digests/orders", asked)
        )
    day = {**_YEAR, "from": "2026-06-01", "to": "2026-06-02", "limit": 200}
    await _timed("the records of a day", lambda: _all_pages(again, "/v1/digests/orders/records", day))
    began = time.perf_counter()
    entries, took = await _all_pages(again, "/v1/orders", {"limit": 200, "sort": "placed_at"})
    print(f"all of them as a list: {entries:,} entries in {len(took)} answers, {time.perf_counter() - began:.1f} s")
    await _beside(again, first["id"])


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100_000)
    chosen = parser.parse_args()
    configure_logs("pipeline", "WARNING", "console")
    with make_open_folder() as folder, tempfile.TemporaryDirectory() as keys:
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            database, events = ServiceDatabase("pipeline", "owner", "app", "system"), EventLogDatabase("event_log")
            await provision(server.superuser_url(), database, events)
            urls = database.urls(server.superuser_url())
            superuser = urlunsplit(urlsplit(server.superuser_url())._replace(path=urlsplit(urls.app).path))
            async with running_service(MANIFEST, urls, events.url(server.superuser_url()), Path(keys)) as service:
                await measured(service, superuser, chosen.orders)
        finally:
            server.stop()


if __name__ == "__main__":
    asyncio.run(main())
