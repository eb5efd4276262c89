"""Digests are what anybody computes who has the records: against a plain re-computation, under rights, within bounds."""

import hashlib
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from crm_contracts.ids import UserId, new_id
from crm_kit.rights import Rights
from crm_kit.rights.grants import Grant
from crm_testkit.service import ServiceUnderTest, Tenant

FIELDS = (
    "external_id", "number", "status", "total", "currency", "refunded_total", "placed_at", "source_updated_at", "tag",
    "contact_id",
)  # fmt: skip


def text(value: str | None) -> str:
    if value is None:
        return "\\N"
    for found, written in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(found, written)
    return value


def number(value: dict[str, str] | None) -> str:
    if value is None:
        return "\\N"
    spelled = f"{Decimal(value['amount']):f}"
    return spelled.rstrip("0").rstrip(".") if "." in spelled else spelled


def time(value: str | None) -> str:
    return "\\N" if value is None else datetime.fromisoformat(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def line(order: dict[str, Any], fields: Sequence[str]) -> bytes:
    forms = {
        "total": lambda: number(order["total"]),
        "currency": lambda: order["total"]["currency"],
        "refunded_total": lambda: number(order["refunded_total"]),
        "placed_at": lambda: time(order["placed_at"]),
        "source_updated_at": lambda: time(order["source_updated_at"]),
        "tag": lambda: ",".join(text(tag).replace(",", "\\,") for tag in sorted(order["tags"], key=str.encode)),
    }
    return "\t".join(forms[name]() if name in forms else text(order[name]) for name in fields).encode()


def digest(lines: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(one + b"\n" for one in sorted(lines))).hexdigest()


def days(begin: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    day, found = begin.astimezone(zone).date(), []
    while (start := datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)) < end:
        found.append(start)
        day += timedelta(days=1)
    return found


async def pages(tenant: Tenant, path: str, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = await tenant.read(path, **asked)
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        asked["cursor"] = page["next_cursor"]


TAGS = ["vip", "a,b", "tab\there", "back\\slash", "北京", "𠮷", "Z", "z"]


async def orders(tenant: Tenant, dice: random.Random, count: int) -> list[dict[str, Any]]:
    """Around a day on which clocks are changed, with what texts may hold."""
    bodies = []
    for n in range(count):
        at = datetime(2026, 10, 24, tzinfo=UTC) + timedelta(
            seconds=dice.randrange(3 * 86_400), microseconds=dice.choice((0, 5))
        )
        total = {"amount": dice.choice(["10.00", "10", "0.000001", "1999.50", "999999999999999"]), "currency": "CNY"}
        bodies.append(
            {
                "number": dice.choice([f"SO-{n}", f"{n}\\N", f"单 {n}"]),
                "source": dice.choice(["shop", "erp", None]),
                "external_id": dice.choice([f"e{n}", f"\\t{n}", None]),
                "contact_id": dice.choice([None, new_id("contact")]),
                "total": total,
                "tags": dice.sample(TAGS, dice.randrange(4)),
                "placed_at": at.isoformat(),
                "source_updated_at": dice.choice([None, "2026-10-24T08:00:00+08:00"]),
                "refunds": [{"amount": {"amount": "1.50", "currency": "CNY"}, "at": at.isoformat()}]
                * dice.randrange(2),
            }
        )
    operations = [
        {"method": "create", "data": {name: value for name, value in body.items() if value is not None}}
        for body in bodies
    ]
    answer = await tenant.client.post("/v1/orders/batch", json={"operations": operations})
    assert {result["status"] for result in answer.json()["results"]} == {201}, answer.text
    return await pages(tenant, "/v1/orders", limit=200)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/Havana"])
async def test_a_digest_is_what_anybody_computes(service: ServiceUnderTest, seed: int, zone: str) -> None:
    tenant, dice = service.tenant(), random.Random(f"{seed} {zone}")
    made = await orders(tenant, dice, 60)
    begin, end = datetime(2026, 10, 24, 5, 30, tzinfo=UTC), datetime(2026, 10, 26, 20, tzinfo=UTC)
    fields = dice.sample(FIELDS, dice.randrange(1, len(FIELDS)))
    source = dice.choice([None, "shop"])
    wanted: dict[datetime, list[bytes]] = defaultdict(list)
    boundaries = days(begin, end, ZoneInfo(zone))
    for order in made:
        at = datetime.fromisoformat(order["placed_at"])
        if begin <= at < end and source in (None, order["source"]):
            wanted[boundaries[bisect_right(boundaries, at) - 1]].append(line(order, fields))
    asked = {"from": begin.isoformat().replace("+00:00", "Z"), "to": end.isoformat().replace("+00:00", "Z"), "tz": zone}
    asked |= {"fields": ",".join(fields), **({"source": source} if source else {})}
    for limit in (1, 2, 366):
        found = await pages(tenant, "/v1/digests/orders", **asked, limit=limit)
        assert {datetime.fromisoformat(one["from"]): (one["count"], one["hash"]) for one in found} == {
            max(start, begin): (len(lines), digest(lines)) for start, lines in wanted.items()
        }
        for one in found:
            start, stop = datetime.fromisoformat(one["from"]), datetime.fromisoformat(one["to"])
            following = [*boundaries, end][bisect_right(boundaries, start)]
            assert stop == min(following, end)
    single = {order["id"]: order for order in made}
    records = await pages(tenant, "/v1/digests/orders/records", **asked, limit=7)
    assert len(records) == sum(map(len, wanted.values()))
    for record in records:
        order = single[record["id"]]
        assert (record["external_id"], record["hash"]) == (order["external_id"], digest([line(order, fields)]))


@pytest.mark.parametrize("bucket", ["minute", "hour", "month"])
async def test_other_periods_hold_the_same_records(service: ServiceUnderTest, bucket: str) -> None:
    tenant = service.tenant()
    made = await orders(tenant, random.Random(5), 40)
    asked = {"from": "2026-10-24", "to": "2026-10-28", "tz": "Asia/Shanghai", "fields": "id", "bucket": bucket}
    found = await pages(tenant, "/v1/digests/orders", **asked, limit=1000)
    begin = datetime(2026, 10, 23, 16, tzinfo=UTC)
    lengths = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "month": timedelta(days=4)}
    for one in found:
        start, stop = datetime.fromisoformat(one["from"]), datetime.fromisoformat(one["to"])
        assert stop - start == lengths[bucket]
        assert (start - begin) % lengths[bucket] == timedelta(0)
        inside = [o for o in made if start <= datetime.fromisoformat(o["placed_at"]) < stop]
        assert (one["count"], one["hash"]) == (len(inside), digest([line(o, ["id"]) for o in inside]))
    assert sum(one["count"] for one in found) == 40


async def test_a_change_shows_in_its_period_alone(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    made = await orders(tenant, random.Random(3), 30)
    asked = {"from": "2026-10-20", "to": "2026-10-30", "fields": "id,status"}
    before = {one["from"]: one["hash"] for one in await pages(tenant, "/v1/digests/orders", **asked)}
    await tenant.client.patch(f"/v1/orders/{made[0]['id']}", json={"status": "shipped"})
    after = {one["from"]: one["hash"] for one in await pages(tenant, "/v1/digests/orders", **asked)}
    [differing] = [start for start in before if before[start] != after[start]]
    assert made[0]["placed_at"][:10] == differing[:10]


@pytest.mark.parametrize("resource", ["deals", "products", "invoices", "payments"])
async def test_every_resource_that_says_so_has_them(service: ServiceUnderTest, resource: str) -> None:
    tenant = service.tenant()
    money = {"amount": "1.0", "currency": "CNY"}
    bodies: dict[str, dict[str, Any]] = {
        "deals": {"name": "x", "amount": money},
        "products": {"name": "x", "unit_price": money},
        "invoices": {"total": money},
        "payments": {"amount": money},
    }
    made = await tenant.create(f"/v1/{resource}", **bodies[resource])
    priced = {"deals": "amount", "products": "unit_price", "invoices": "total", "payments": "amount"}[resource]
    [found] = (await tenant.read(f"/v1/digests/{resource}", fields=f"id,{priced},currency"))["data"]
    assert (found["count"], found["hash"]) == (1, digest([f"{made['id']}\t1\tCNY".encode()]))
    assert (await service.tenant().read(f"/v1/digests/{resource}"))["data"] == [], "another tenant's"
    every = (await tenant.client.get("/openapi.json")).json()["paths"][f"/v1/digests/{resource}"]["get"]
    by = next(one for one in every["parameters"] if one["name"] == "by")["schema"]["enum"]
    for name in by:
        assert sum(one["count"] for one in (await tenant.read(f"/v1/digests/{resource}", by=name))["data"]) <= 1


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"fields": "id,nope"}, "?fields"),
        ({"fields": ""}, "?fields"),
        ({"fields": ",".join(["id"] * 21)}, "?fields"),
        ({"by": "status"}, "?by"),
        ({"from": "yesterday"}, "?from"),
        ({"from": "2026-02-30"}, "?from"),
        ({"to": "0001-01-01"}, "?to"),
        ({"tz": "Mars/Olympus"}, "?tz"),
        ({"bucket": "year"}, "?bucket"),
        ({"limit": "1001"}, "?limit"),
        ({"nope": "1"}, "?nope"),
    ],
)
async def test_what_cannot_be_asked_is_told(service: ServiceUnderTest, asked: dict[str, str], parameter: str) -> None:
    answer = await service.tenant().client.get("/v1/digests/orders", params=asked)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [parameter]


async def test_a_cursor_belongs_to_its_question(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    await orders(tenant, random.Random(1), 20)
    asked = {"from": "2026-10-20", "to": "2026-10-30", "limit": 1}
    page = await tenant.read("/v1/digests/orders", **asked)
    cursor = page["next_cursor"]
    assert cursor
    for other, whose in (({"fields": "id,status"}, tenant), ({}, service.tenant())):
        answer = await whose.client.get("/v1/digests/orders", params={**asked, **other, "cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
    answer = await tenant.client.get("/v1/digests/orders", params={**asked, "cursor": "x"})
    assert answer.status_code == 400


def seller(*grants: Grant) -> Rights:
    return Rights(UserId.new(), [], grants, admin=False)


def reading(level: Any, where: Any = None, **fields: Any) -> Grant:
    return Grant(frozenset({"orders"}), frozenset({"read"}), level, fields, where)


async def test_a_digest_is_of_what_the_caller_sees(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    rights = seller(reading("own", open="read", commercial="read"))
    money = {"amount": "5", "currency": "CNY"}
    at = {"placed_at": "2026-10-24T08:00:00Z", "total": money}
    mine = await tenant.create("/v1/orders", **at, owner_id=rights.user_id)
    await tenant.create("/v1/orders", **at, owner_id=UserId.new())
    asked = {"from": "2026-10-24", "to": "2026-10-25", "fields": "id,total"}
    own = service.tenant(tenant.id, rights=rights)
    [seen] = (await own.read("/v1/digests/orders", **asked))["data"]
    assert (seen["count"], seen["hash"]) == (1, digest([f"{mine['id']}\t5".encode()]))
    [record] = (await own.read("/v1/digests/orders/records", **asked))["data"]
    assert (record["id"], record["hash"]) == (mine["id"], seen["hash"])
    [whole] = (await tenant.read("/v1/digests/orders", **asked))["data"]
    assert whole["count"] == 2
    for fields in ({"open": "read"}, {"open": "read", "commercial": "masked"}):
        poor = service.tenant(tenant.id, rights=seller(reading("all", **fields)))
        for path in ("/v1/digests/orders", "/v1/digests/orders/records"):
            refused = await poor.client.get(path, params=asked)
            assert (refused.status_code, refused.json()["missing_permission"]) == (403, "orders.total:read")
        assert (await poor.read("/v1/digests/orders", **{**asked, "fields": "id"}))["data"][0]["count"] == 2
    shop = {"field": "source", "op": "eq", "value": "shop"}
    sold = await tenant.create("/v1/orders", **at, source="shop")
    few = service.tenant(tenant.id, rights=seller(reading("all", shop, open="read", commercial="read")))
    [seen] = (await few.read("/v1/digests/orders", **asked))["data"]
    assert (seen["count"], seen["hash"]) == (1, digest([f"{sold['id']}\t5".encode()]))
    nobody = service.tenant(
        tenant.id, rights=seller(Grant(frozenset({"deals"}), frozenset({"read"}), "all", {"open": "read"}))
    )
    assert (await nobody.client.get("/v1/digests/orders", params=asked)).status_code == 403


async def copies(service: ServiceUnderTest, tenant: Tenant, order_id: str, count: int, at: str, apart: str) -> None:
    """So many orders like that one, each later than the one before; as nobody could write them in the time of a test."""
    connection = await asyncpg.connect(service.urls.app)
    try:
        async with connection.transaction():
            await connection.execute("select set_config('app.tenant_id', $1, true)", tenant.id)
            names = [
                row["column_name"]
                for row in await connection.fetch(
                    "select column_name from information_schema.columns where table_name = 'sales_order'"
                )
            ]
            new = {
                "id": "'order_' || lpad(n::text, 26, '0')",
                "number": "'N' || n",
                "placed_at": f"timestamptz '{at}' + n * interval '{apart}'",
            }
            given = ", ".join(new.get(name, name) for name in names)
            await connection.execute(
                f"insert into sales_order ({', '.join(names)}) select {given}"  # names of our own
                f" from sales_order, generate_series(1, {count}) as n where id = $1",
                order_id,
            )
    finally:
        await connection.close()


async def test_an_answer_looks_at_so_many_records_and_no_more(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    order = await tenant.create(
        "/v1/orders", total={"amount": "5", "currency": "CNY"}, placed_at="2020-01-01T00:00:00Z"
    )
    await copies(service, tenant, order["id"], 45_000, "2026-01-01", "1 minute")
    asked = {"from": "2026-01-01", "to": "2026-03-01", "fields": "number"}
    first = await tenant.read("/v1/digests/orders", **asked)
    assert 0 < len(first["data"]) < 32
    assert first["next_cursor"]
    found = await pages(tenant, "/v1/digests/orders", **asked)
    assert [one["count"] for one in found] == [1439, *[1440] * 30, 361]
    by_day = defaultdict(list)
    for n in range(1, 45_001):
        by_day[n // 1440].append(f"N{n}".encode())
    assert [one["hash"] for one in found] == [digest(by_day[day]) for day in sorted(by_day)]
    # Who sees none of them has no longer way to go.
    nobody = service.tenant(tenant.id, rights=seller(reading("own", open="read")))
    assert await pages(nobody, "/v1/digests/orders", **asked) == []
    large = await tenant.client.get("/v1/digests/orders", params={**asked, "bucket": "month"})
    assert (large.status_code, large.json()["code"]) == (422, "digest_too_large")
    assert "2026-01-01" in large.json()["detail"]


async def test_lines_that_are_too_long_together_are_refused(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    tags = [f"{n:03}" + "x" * 61 for n in range(200)]
    order = await tenant.create("/v1/orders", total={"amount": "5", "currency": "CNY"}, tags=tags)
    await copies(service, tenant, order["id"], 6_000, "2026-01-01", "1 second")
    asked = {"from": "2026-01-01", "to": "2026-01-02", "fields": "tag"}
    answer = await tenant.client.get("/v1/digests/orders", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "digest_too_large")
    [few] = (await tenant.read("/v1/digests/orders", **{**asked, "fields": "number"}))["data"]
    assert few["count"] == 6_000
    [hour] = (await tenant.read("/v1/digests/orders", **asked, bucket="hour", limit=1))["data"]
    assert hour["hash"] == digest([",".join(tags).encode()] * hour["count"])
