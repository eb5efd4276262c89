"""Existing contacts after rules changed, and what is told meanwhile: whoever evaluates, whoever writes, whatever is rebuilt."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contacts_svc.features.tag_rules.consumers import FACTS
from contacts_svc.manifest import MANIFEST
from crm_contracts.registry import ORDER
from crm_kit.db.provision import ServiceUrls
from crm_kit.rebuild import Progress, open_rebuild
from crm_testkit.service import ServiceUnderTest, Tenant, running_service
from crm_testkit.tagged_contacts import cny, evaluated, made, person, tell, until_tagged
from sqlalchemy import text

Json = dict[str, Any]
FROM_SHOP = {"field": "source", "op": "eq", "value": "shop"}
HIGH_VALUE = {"field": "orders.total.CNY", "op": "gte", "value": "10000"}
BOUGHT = {"field": "orders.count", "op": "gte", "value": 1}


async def create(tenant: Tenant, records: list[Json]) -> list[str]:
    operations = [{"method": "create", "data": record} for record in records]
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    results = answer.json()["results"]
    assert {each["status"] for each in results} == {201}
    return [each["id"] for each in results]


async def all_of(tenant: Tenant) -> list[Json]:
    found: list[Json] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await tenant.read("/v1/contacts", limit=200, **({"cursor": cursor} if cursor else {}))
        found += page["data"]
        cursor = page["next_cursor"]
    return found


async def test_another_process_goes_on_where_one_ended(
    postgres_database: Callable[[str], ServiceUrls], event_log_database: Callable[[], str], tmp_path: Path
) -> None:
    urls, log = postgres_database("contacts"), event_log_database()
    async with running_service(MANIFEST, urls, log, tmp_path, roles=("api",)) as idle:
        tenant = idle.tenant()
        for start in (0, 700):
            await create(tenant, [{"wechat": f"w{n}", "source": "shop"} for n in range(start, start + 700)])
        await made(tenant, "shop", FROM_SHOP)
        told = await tenant.read("/v1/tag-rules/evaluation")
        assert (told["pending"], told["evaluated"], told["evaluated_until"]) == (True, 0, None)
    seen = 0
    for _ in range(2):
        async with running_service(MANIFEST, urls, log, tmp_path) as service:
            tenant = service.tenant(tenant.id)
            while (told := await tenant.read("/v1/tag-rules/evaluation"))["evaluated"] == seen and told["pending"]:
                await asyncio.sleep(0.01)
            seen = told["evaluated"]
    async with running_service(MANIFEST, urls, log, tmp_path) as service:
        tenant = service.tenant(tenant.id)
        await evaluated(tenant)
        found = await all_of(tenant)
        assert [(each["tags"], each["version"]) for each in found] == [(["shop"], 2)] * 1400


async def test_who_is_written_or_told_of_while_rules_come_and_go_is_as_they_say(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    ids = [await person(tenant) for _ in range(12)]

    async def write(number: int) -> None:
        source = "shop" if number % 2 else "fair"
        answer = await tenant.client.patch(f"/v1/contacts/{ids[number]}", json={"source": source})
        assert answer.status_code == 200, answer.text
        if number % 3 == 0:
            await tell(service, tenant, ORDER, ids[number], total=cny("10000.00"))

    async def change(number: int) -> str:
        return str((await made(tenant, f"tag {number}", {"any": [FROM_SHOP, HIGH_VALUE]}))["id"])

    rules: list[str] = []
    for _ in range(3):
        done: list[Any] = await asyncio.gather(
            *(write(number) for number in range(12)), *(change(number) for number in range(2))
        )
        rules += done[12:]
        assert (await tenant.client.delete(f"/v1/tag-rules/{rules.pop(0)}")).status_code == 204
    await evaluated(tenant)
    active = {each["tag"] for each in (await tenant.read("/v1/tag-rules"))["data"]}
    for number, id_ in enumerate(ids):
        expected = active if number % 2 or number % 3 == 0 else ()
        await until_tagged(tenant, id_, *expected)


async def test_a_damaged_copy_is_rebuilt_and_then_decides_again(
    postgres_database: Callable[[str], ServiceUrls], event_log_database: Callable[[], str], tmp_path: Path
) -> None:
    async with running_service(MANIFEST, postgres_database("contacts"), event_log_database(), tmp_path) as service:
        tenant = service.tenant()
        await made(tenant, "high", HIGH_VALUE)
        one, other = await person(tenant), await person(tenant)
        await tell(service, tenant, ORDER, one, total=cny("10000.00"))
        order = await tell(service, tenant, ORDER, other, total=cny("9000.00"))
        await until_tagged(tenant, one, "high")
        async with service.runtime.database.write(tenant.id) as session:
            await session.execute(text("delete from fact_copy where contact_id = :id"), {"id": one})
            await session.execute(text("delete from contact_facts where contact_id = :id"), {"id": one})
        settings = service.runtime.settings
        await tenant.client.post("/v1/tag-rules/evaluation")
        await until_tagged(tenant, one)
        async with open_rebuild(FACTS, settings, "contacts", Progress(FACTS.name, io.StringIO())) as rebuilt:
            found = await rebuilt.run()
        assert {(each.table, each.kind) for each in found} == {
            ("fact_copy", "only rebuilt"),
            ("contact_facts", "only rebuilt"),
        }
        assert (await tenant.read(f"/v1/contacts/{one}"))["tags"] == [], "a rebuild judges nobody"
        await tenant.client.post("/v1/tag-rules/evaluation")
        await until_tagged(tenant, one, "high")
        await tell(service, tenant, ORDER, other, known_id=order, version=2, total=cny("10000.00"))
        await until_tagged(tenant, other, "high")
        async with open_rebuild(FACTS, settings, "contacts", Progress(FACTS.name, io.StringIO())) as rebuilt:
            assert await rebuilt.run(switch=False) == []


async def test_a_write_that_no_rule_on_orders_hangs_on_reads_nothing_of_them(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    """What it said before stands, also where a tag is taken away."""
    await made(tenant, "high", {"all": [HIGH_VALUE, {"field": "title", "op": "exists", "value": True}]})
    contact_id = await person(tenant, title="Buyer")
    await tell(service, tenant, ORDER, contact_id, total=cny("10000.00"))
    await until_tagged(tenant, contact_id, "high")
    path = f"/v1/contacts/{contact_id}"
    for patch, tags in (
        ({"source": "shop"}, ["high"]),
        ({"tags": ["own"]}, ["own"]),
        ({"source": "fair"}, ["own"]),
        ({"title": None}, ["own"]),
        ({"title": "CEO"}, ["own", "high"]),
    ):
        assert (await tenant.client.patch(path, json=patch)).json()["tags"] == tags
