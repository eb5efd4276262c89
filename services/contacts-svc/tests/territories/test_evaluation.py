"""Existing records after territories changed: whatever the conditions, and whoever runs the evaluation."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contacts_svc.manifest import MANIFEST
from crm_contracts.ids import TeamId, UserId
from crm_kit.db.provision import ServiceUrls
from crm_testkit.service import ServiceUnderTest, Tenant, running_service

Json = dict[str, Any]
TEAMS, OWNERS = [TeamId.new() for _ in range(3)], [UserId.new() for _ in range(2)]
REGIONS, SOURCES, TAGS = ("浙江", "四川", None), ("shop", "fair", None), ("vip", "old")

CONDITIONS: list[tuple[Json, Callable[[Json], bool]]] = [
    ({"field": "address.region", "op": "eq", "value": "浙江"}, lambda it: it["address"]["region"] == "浙江"),
    ({"field": "address.region", "op": "ne", "value": "浙江"}, lambda it: it["address"]["region"] != "浙江"),
    ({"not": {"field": "source", "op": "exists"}}, lambda it: it["source"] is None),
    ({"field": "tag", "op": "contains", "value": "vip"}, lambda it: "vip" in it["tags"]),
    (
        {
            "any": [
                {"field": "source", "op": "in", "value": ["fair"]},
                {"field": "tag", "op": "not_in", "value": ["old"]},
            ]
        },
        lambda it: it["source"] == "fair" or "old" not in it["tags"],
    ),
    ({"field": "email", "op": "eq", "value": "B@example.com"}, lambda it: bool(it["emails"])),
]


def a_record(dice: random.Random, number: int) -> Json:
    named = {"team_id": dice.choice(TEAMS)} if dice.random() < 0.2 else {}
    owned = {"owner_id": dice.choice(OWNERS)} if dice.random() < 0.2 else {}
    return {
        "wechat": f"w{number}",
        "address": {"region": dice.choice(REGIONS)},
        "source": dice.choice(SOURCES),
        "tags": dice.sample(TAGS, dice.randint(0, 2)),
        "emails": [{"address": "b@example.com"}] if dice.random() < 0.3 else [],
        **named,
        **owned,
    }


def wanted(record: Json, territories: list[tuple[Json, Callable[[Json], bool]]]) -> tuple[Any, Any, Any]:
    """(team, owner, territory): the model."""
    owner = record.get("owner_id")
    if "team_id" in record:
        return record["team_id"], owner, None
    for made, holds in sorted(territories, key=lambda each: (each[0]["position"], each[0]["id"])):
        if made["active"] and holds(record):
            return made["team_id"], owner or made["owner_id"], made["id"]
    return None, owner, None


async def evaluated(tenant: Tenant) -> None:
    async with asyncio.timeout(60):
        while (await tenant.read("/v1/territories/evaluation"))["pending"]:
            await asyncio.sleep(0.05)


async def all_of(tenant: Tenant) -> dict[str, Json]:
    found: dict[str, Json] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = await tenant.read("/v1/contacts", limit=200, **({"cursor": cursor} if cursor else {}))
        found |= {each["wechat"]: each for each in page["data"]}
        cursor = page["next_cursor"]
    return found


async def create(tenant: Tenant, records: list[Json]) -> None:
    operations = [{"method": "create", "data": record} for record in records]
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    assert {each["status"] for each in answer.json()["results"]} == {201}


async def test_records_follow_any_territories_as_a_model_says(service: ServiceUnderTest) -> None:
    for seed in range(6):
        dice, tenant = random.Random(seed), service.tenant()
        records = [a_record(dice, number) for number in range(60)]
        await create(tenant, records[:40])
        territories: list[tuple[Json, Callable[[Json], bool]]] = []

        async def make(dice: random.Random = dice, tenant: Tenant = tenant, made: Any = territories) -> None:
            where, holds = dice.choice(CONDITIONS)
            body = {"name": "x", "resource": "contacts", "where": where, "team_id": dice.choice(TEAMS)}
            more = {"owner_id": dice.choice([None, *OWNERS]), "position": dice.randint(0, 3)}
            made.append((await tenant.create("/v1/territories", **body, **more, active=dice.random() < 0.8), holds))

        for _ in range(4):
            await make()
        await create(tenant, records[40:])
        for change in range(4):
            await evaluated(tenant)
            found = await all_of(tenant)
            for record in records:
                seen = found[record["wechat"]]
                told = (seen["team_id"], seen["owner_id"], seen["territory_id"])
                assert told == wanted(record, territories), (seed, change, record)
            place = dice.randrange(len(territories))
            made, holds = territories.pop(place)
            path = f"/v1/territories/{made['id']}"
            if dice.random() < 0.3:
                assert (await tenant.client.delete(path)).status_code == 204
                await make()
                continue
            patch = {"team_id": dice.choice(TEAMS), "owner_id": dice.choice([None, *OWNERS])}
            patch |= {"position": dice.randint(0, 3), "active": dice.random() < 0.8}
            territories.append(((await tenant.client.patch(path, json=patch)).json(), holds))


async def test_another_process_goes_on_where_one_ended(
    postgres_database: Callable[[str], ServiceUrls], event_log_database: Callable[[], str], tmp_path: Path
) -> None:
    urls, log = postgres_database("contacts"), event_log_database()
    async with running_service(MANIFEST, urls, log, tmp_path, roles=("api",)) as idle:
        tenant = idle.tenant()
        for start in (0, 600):
            await create(tenant, [{"wechat": f"w{n}", "source": "shop"} for n in range(start, start + 600)])
        where = {"field": "source", "op": "eq", "value": "shop"}
        body = {"name": "x", "resource": "contacts", "where": where, "team_id": TEAMS[0]}
        made = await tenant.create("/v1/territories", **body)
        assert (await tenant.read("/v1/territories/evaluation"))["pending"]
    for _ in range(2):
        async with running_service(MANIFEST, urls, log, tmp_path) as service:
            tenant = service.tenant(tenant.id)
            while not (await tenant.read("/v1/contacts", limit=1, sort="-updated_at"))["data"][0]["territory_id"]:
                await asyncio.sleep(0.01)
    async with running_service(MANIFEST, urls, log, tmp_path) as service:
        tenant = service.tenant(tenant.id)
        await evaluated(tenant)
        found = await all_of(tenant)
        assert {(each["territory_id"], each["version"]) for each in found.values()} == {(made["id"], 2)}
        assert len(found) == 1200
