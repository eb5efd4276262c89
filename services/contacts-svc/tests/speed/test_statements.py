"""How many statements an operation takes: that does not depend on the machine, and what is slow begins with one too many."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from contacts_svc.manifest import MANIFEST
from crm_contracts.ids import TeamId
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.provision import ServiceUrls
from crm_testkit.service import ServiceUnderTest, Tenant, running_service
from crm_testkit.statements import CountStatements, counting_statements


@pytest_asyncio.fixture(scope="module")
async def alone(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServiceUnderTest]:
    """A service that does nothing but answer."""
    folder = tmp_path_factory.mktemp("alone")
    urls = postgres_database("contacts")
    async with running_service(MANIFEST, urls, event_log_database(), folder, roles=["api"]) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def count(alone: ServiceUnderTest, postgres_server: EmbeddedPostgres) -> AsyncIterator[CountStatements]:
    """How many statements the application sends while something is done."""
    async with counting_statements(alone.urls, postgres_server) as counted:
        yield counted


async def _batch(tenant: Tenant, operations: list[dict[str, Any]]) -> None:
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    statuses = {result["status"] for result in answer.json()["results"]}
    assert statuses <= {200, 201}, answer.text[:500]


def _upserts(numbers: range, title: str) -> list[dict[str, Any]]:
    return [
        {
            "method": "upsert",
            "match": "email",
            "data": {"emails": [{"address": f"c{number}@example.com"}], "title": title},
        }
        for number in numbers
    ]


async def test_a_record_is_read_by_one_statement(alone: ServiceUnderTest, count: CountStatements) -> None:
    tenant = alone.tenant()
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    path = f"/v1/contacts/{contact['id']}"
    await tenant.read(path)  # connects
    assert await count(lambda: tenant.read(path)) == 1


async def test_a_creation_is_one_statement(alone: ServiceUnderTest, count: CountStatements) -> None:
    """Entity, event, audit entry, the idempotency key and its answer; what is asked for at the same time goes with it."""
    tenant = alone.tenant()

    async def create(key: str, **more: object) -> None:
        body = {"full_name": "王伟", **more}
        answer = await tenant.client.post("/v1/contacts", json=body, headers={"Idempotency-Key": f"k-{key}"})
        assert answer.status_code == 201

    await create("reads-territories")
    await create("connects")
    assert await count(lambda: create("a")) == 1
    assert await count(lambda: asyncio.gather(*(create(f"b{number}") for number in range(30)))) < 15
    assert await count(lambda: create("reads", external_ids={"shop": "1"})) <= 9


async def test_a_creation_is_one_statement_with_territories_and_custom_fields(
    alone: ServiceUnderTest, count: CountStatements
) -> None:
    tenant = alone.tenant()
    field = {"resource": "contacts", "name": "level", "label": {"en": "Level"}, "type": "text", "default": "gold"}
    await tenant.create("/v1/custom-fields", **field)
    where = {"field": "custom.level", "op": "eq", "value": "gold"}
    team = TeamId.new()
    await tenant.create("/v1/territories", name="x", resource="contacts", where=where, team_id=team)

    async def create() -> None:
        made = await tenant.create("/v1/contacts", full_name="王伟")
        assert (made["custom"], made["team_id"]) == ({"level": "gold"}, team)

    await create()  # reads what stands
    await create()  # connects
    assert await count(create) == 1
    assert await count(lambda: asyncio.gather(*(create() for _ in range(30)))) < 15


async def test_a_change_is_two_statements(alone: ServiceUnderTest, count: CountStatements) -> None:
    """One reads the row, and one changes it, with event and audit entry, if it is still what was read."""
    tenant = alone.tenant()
    contact = await tenant.create("/v1/contacts", full_name="王伟", emails=[{"address": "wei@example.com"}])
    path, numbers = f"/v1/contacts/{contact['id']}", itertools.count()

    async def change() -> None:
        title = f"经理 {next(numbers)}"
        answer = await tenant.client.patch(path, json={"title": title})
        assert (answer.status_code, answer.json()["title"]) == (200, title)

    await change()  # reads what stands
    await change()  # connects
    assert await count(change) == 2
    assert (await tenant.read(path))["version"] == 4

    async def change_nothing() -> None:
        assert (await tenant.client.patch(path, json={"full_name": "王伟"})).json()["version"] == 4

    await change_nothing()
    assert await count(change_nothing) == 2


async def test_tag_rules_cost_a_write_no_statement(alone: ServiceUnderTest, count: CountStatements) -> None:
    """A creation; and a change of a hundred in what no rule on orders names, which reads nothing of their orders."""
    tenant = alone.tenant()

    async def create() -> None:
        await tenant.create("/v1/contacts", full_name="王伟", source="shop")

    async def change(title: str) -> None:
        await _batch(tenant, _upserts(range(100), title))

    await change("a")
    await change("b")
    without = await count(lambda: change("c"))
    shop = {"field": "source", "op": "eq", "value": "shop"}
    high = {"field": "orders.total.CNY", "op": "gte", "value": 1000}
    for tag, where in (("shop", shop), ("high", high), ("none", {"field": "orders.count", "op": "eq", "value": 0})):
        await tenant.create("/v1/tag-rules", name=tag, tag=tag, where=where)
    await create()  # reads what stands
    await create()  # connects
    assert await count(create) == 1
    await change("d")
    assert await count(lambda: change("e")) == without


async def test_a_batch_takes_as_many_for_a_hundred_as_for_ten(alone: ServiceUnderTest, count: CountStatements) -> None:
    tenant = alone.tenant()
    await _batch(tenant, _upserts(range(1), "first"))
    few = await count(lambda: _batch(tenant, _upserts(range(10, 20), "a")))
    many = await count(lambda: _batch(tenant, _upserts(range(100, 200), "a")))
    assert few == many <= 12


async def test_a_shops_batch_takes_as_many_for_a_hundred_as_for_ten(
    alone: ServiceUnderTest, count: CountStatements
) -> None:
    """With what no two contacts may have, and what must be there."""
    tenant = alone.tenant()
    accounts = [(await tenant.create("/v1/accounts", name=f"Shop {number}"))["id"] for number in range(100)]

    def operations(numbers: range, title: str) -> list[dict[str, Any]]:
        return [
            {
                "method": "upsert",
                "match": "external_id",
                "data": {
                    "external_ids": {"erp": f"E{number}", "shop": f"S{number}"},
                    "account_id": accounts[number % 100],
                    "title": title,
                },
            }
            for number in numbers
        ]

    await _batch(tenant, operations(range(1), "first"))
    few = await count(lambda: _batch(tenant, operations(range(10, 20), "a")))
    many = await count(lambda: _batch(tenant, operations(range(100, 200), "a")))
    assert few == many <= 14
    await _batch(tenant, operations(range(100, 160), "b"))
    changed = await count(lambda: _batch(tenant, operations(range(100, 150), "c")))
    assert changed - await count(lambda: _batch(tenant, operations(range(150, 160), "c"))) == 40


async def test_changes_of_a_batch_are_read_and_published_together(
    alone: ServiceUnderTest, count: CountStatements
) -> None:
    """One UPDATE each, sent together; all else once."""
    tenant = alone.tenant()
    for title in ("a", "b"):
        await _batch(tenant, _upserts(range(50), title))
    few = await count(lambda: _batch(tenant, _upserts(range(10), "c")))
    many = await count(lambda: _batch(tenant, _upserts(range(50), "d")))
    assert many - few == 40
    assert few <= 25


async def test_a_hierarchy_takes_as_many_statements_however_wide_it_is(
    alone: ServiceUnderTest, count: CountStatements
) -> None:
    tenant = alone.tenant()
    counts = []
    for children in (1, 40):
        above = (await tenant.create("/v1/accounts", name="Above"))["id"]
        for number in range(children):
            await tenant.create("/v1/accounts", name=f"Child {number}", parent_id=above)
        path = f"/v1/accounts/{above}/hierarchy"
        counts.append(await count(lambda path=path: tenant.read(path, limit=200)))  # type: ignore[misc]  # bound at once
    assert counts[0] == counts[1]


async def test_a_merge_asks_for_no_relationship_by_itself(alone: ServiceUnderTest, count: CountStatements) -> None:
    tenant = alone.tenant()
    counts = []
    for roles in (2, 40):
        one, other = [(await tenant.create("/v1/contacts", full_name="王伟"))["id"] for _ in range(2)]
        account = (await tenant.create("/v1/accounts", name="Acme"))["id"]
        for number in range(roles):
            role = {"contact_id": other, "account_id": account, "label": f"role {number}"}
            await tenant.create("/v1/relationships", **role)
        body = {"from": [other]}
        path = f"/v1/contacts/{one}/merge"
        counts.append(await count(lambda path=path, body=body: tenant.client.post(path, json=body)))  # type: ignore[misc]  # bound at once
    assert counts[1] - counts[0] == 38  # each is written, and that is all
