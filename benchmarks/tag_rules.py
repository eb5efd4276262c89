"""What tag rules cost: `python benchmarks/tag_rules.py --contacts 100000 --rules 20`.

A creation and an order's event, without rules and with some, in turns; and the evaluation of all contacts after a rule has changed,
where it tags one in a hundred and where it tags all.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.tag_rules.consumers import FACTS
from contacts_svc.manifest import MANIFEST
from crm_contracts.ids import ContactId, OrderId
from crm_contracts.registry import ORDER
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.provision import EventLogDatabase, ServiceDatabase, provision
from crm_kit.db.rows import written_columns
from crm_kit.observability.logs import configure_logs
from crm_testkit.postgres import make_open_folder
from crm_testkit.service import ServiceUnderTest, Tenant, running_service
from crm_testkit.tagged_contacts import cny, days_ago, event

_ROUNDS: Final = 6
_CREATIONS: Final = 150
_ORDERS: Final = 300

_COLUMNS: Final = [f'"{column.name}"' for column in written_columns(ContactRow)]
_FILL: Final = f"""
    insert into contact ({", ".join(_COLUMNS)}) select {", ".join(f"new.{name}" for name in _COLUMNS)}
      from contact c, unnest($2::text[], $3::text[]) as given(id, source),
           jsonb_populate_record(c, jsonb_build_object('id', given.id, 'source', given.source)) as new
     where c.id = $1
"""
"""Copies of one contact."""


def _where(number: int) -> dict[str, Any]:
    """One in four asks for a birthday, one for the last order, two for sums of orders or members of the contact."""
    match number % 4:
        case 0:
            return {"field": "birthday", "op": "anniversary_within_next", "value": f"{7 + number}d"}
        case 1:
            bought = {"field": "orders.count", "op": "gte", "value": 1}
            return {
                "all": [bought, {"not": {"field": "orders.last_at", "op": "within_last", "value": f"{90 + number}d"}}]
            }
        case 2:
            return {"field": "orders.total.CNY", "op": "gte", "value": 1_000_000 + number}
        case _:
            return {"all": [{"field": "source", "op": "eq", "value": f"s{number}"}, {"field": "title", "op": "exists"}]}


async def _rules(tenant: Tenant, count: int) -> None:
    for number in range(count):
        await tenant.create("/v1/tag-rules", name=f"{number}", tag=f"tag {number}", where=_where(number))
    await _evaluated(tenant)


async def _evaluated(tenant: Tenant) -> None:
    while (await tenant.read("/v1/tag-rules/evaluation"))["pending"]:
        await asyncio.sleep(0.05)


async def creations(service: ServiceUnderTest, tenants: dict[str, Tenant]) -> None:
    found: dict[str, list[float]] = {name: [] for name in tenants}
    for _ in range(_ROUNDS):
        for name, known in tenants.items():
            tenant = service.tenant(known.id)  # a token is good for a minute
            for number in range(_CREATIONS):
                began = time.perf_counter()
                await tenant.create("/v1/contacts", full_name=f"王{number}", source="shop", birthday="1990-05-17")
                found[name].append(time.perf_counter() - began)
    for name, seconds in found.items():
        print(f"a creation {name}: {statistics.median(seconds) * 1000:.2f} ms (median of {len(seconds)})")


async def _people(tenant: Tenant) -> list[str]:
    operations = [{"method": "create", "data": {"full_name": "王"}} for _ in range(_ORDERS)]
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    return [each["id"] for each in answer.json()["results"]]


async def order_events(service: ServiceUnderTest, tenants: dict[str, Tenant]) -> None:
    """Of as many contacts as orders, published at once; until the consumer has them."""
    found: dict[str, list[float]] = {name: [] for name in tenants}
    ids = {name: await _people(service.tenant(tenant.id)) for name, tenant in tenants.items()}
    for turn in range(_ROUNDS):
        for name, tenant in tenants.items():
            members = {"total": cny("10.00"), "placed_at": days_ago(turn)}
            events = [(ORDER.name, event(tenant, ORDER, OrderId.new(), 1, id_, dict(members))) for id_ in ids[name]]
            began = time.perf_counter()
            await service.publish(*events)
            while any(lag.behind for lag in (await service.runtime.event_log.lag(FACTS.name, [ORDER.name])).values()):
                await asyncio.sleep(0.01)
            found[name].append((time.perf_counter() - began) / _ORDERS)
    for name, seconds in found.items():
        print(f"an order's event {name}: {statistics.median(seconds) * 1000:.2f} ms (median of {_ROUNDS} x {_ORDERS})")


async def evaluation(service: ServiceUnderTest, superuser: str, contacts: int, rules: int) -> None:
    tenant = service.tenant()

    def again() -> Tenant:
        """With a token that is good for a minute from now."""
        return service.tenant(tenant.id)

    first = await tenant.create("/v1/contacts", full_name="王伟", title="经理", birthday="1990-05-17")
    ids = [ContactId.new() for _ in range(contacts - 1)]
    connection = await asyncpg.connect(superuser)
    sources = ["rare" if number % 100 == 0 else "usual" for number in range(contacts - 1)]
    await connection.execute(_FILL, first["id"], ids, sources)
    await connection.execute("analyze contact")
    await connection.close()
    for number in range(rules - 1):
        await again().create("/v1/tag-rules", name=f"{number}", tag=f"tag {number}", where=_where(number))
    await _all_evaluated(again)
    for told, where in (
        ("one in a hundred", {"field": "source", "op": "eq", "value": "rare"}),
        ("all", {"field": "title", "op": "exists", "value": True}),
    ):
        began = time.perf_counter()
        rule = await again().create("/v1/tag-rules", name=told, tag=told, where=where)
        await _all_evaluated(again)
        seconds = time.perf_counter() - began
        print(
            f"{contacts:,} contacts held against {rules} rules, {told} tagged: {seconds:.1f} s, {contacts / seconds:,.0f}/s"
        )
        began = time.perf_counter()
        await again().client.delete(f"/v1/tag-rules/{rule['id']}")
        await _all_evaluated(again)
        print(f"  and the tag taken again: {time.perf_counter() - began:.1f} s")


async def _all_evaluated(again: Any) -> None:
    while (await again().read("/v1/tag-rules/evaluation"))["pending"]:
        await asyncio.sleep(0.2)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--rules", type=int, default=20)
    chosen = parser.parse_args()
    configure_logs("contacts", "WARNING", "console")
    with make_open_folder() as folder, tempfile.TemporaryDirectory() as keys:
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            database, events = ServiceDatabase("contacts", "owner", "app", "system"), EventLogDatabase("event_log")
            await provision(server.superuser_url(), database, events)
            urls = database.urls(server.superuser_url())
            superuser = urlunsplit(urlsplit(server.superuser_url())._replace(path=urlsplit(urls.app).path))
            async with running_service(MANIFEST, urls, events.url(server.superuser_url()), Path(keys)) as service:
                plain, ruled = service.tenant(), service.tenant()
                await _rules(ruled, chosen.rules)
                tenants = {"without rules": plain, f"with {chosen.rules} rules": ruled}
                await creations(service, tenants)
                await order_events(service, tenants)
                await evaluation(service, superuser, chosen.contacts, chosen.rules)
        finally:
            server.stop()


if __name__ == "__main__":
    asyncio.run(main())
