"""Retention rules through all services: whatever dies on the way each is taken once, with a receipt from everybody, and no other."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from crm_testkit.one_of_everything import CONTACTS, DEALS, create
from crm_testkit.passing_time import let_pass
from crm_testkit.whole_stack import Relata
from crm_testkit.writers import until

pytestmark = pytest.mark.long

Json = dict[str, Any]
RULES, REQUESTS, HOLDS = "/v1/retention-rules", "/v1/privacy-requests", "/v1/legal-holds"
SERVICES = {"contacts", "pipeline", "tickets", "campaigns", "gateway"}
ROWS = 120


@pytest_asyncio.fixture
async def client(on_embedded: Relata) -> AsyncIterator[httpx.AsyncClient]:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Retention")) as client:
        yield client


async def many(client: httpx.AsyncClient, path: str, bodies: list[Json]) -> list[str]:
    operations = [{"method": "create", "data": body} for body in bodies]
    answer = await client.post(f"{path}/batch", json={"operations": operations})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["results"]]


async def pass_by(relata: Relata, client: httpx.AsyncClient, days: float) -> None:
    tenant_id = (await client.get("/v1/tenants")).json()["data"][0]["id"]
    await let_pass(relata.stack.environment_of("contacts")["CONTACTS_DATABASE_URL"], tenant_id, timedelta(days=days))


async def every(client: httpx.AsyncClient, path: str, **query: str) -> list[Json]:
    found: list[Json] = []
    params = {"limit": "200", **query}
    while True:
        page = (await client.get(path, params=params)).json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]


async def made_rule(client: httpx.AsyncClient, **members: Any) -> Json:
    usual = {"resource": "contacts", "counted_from": "created_at", "after_days": 30, "action": "erase"}
    return await create(client, RULES, {"name": "Old ones", "reason": "PIPL 47", **usual, **members}, {})


async def ran(client: httpx.AsyncClient, rule: Json) -> Json:
    """What the rule's run came to, once it has ended."""

    async def is_through() -> bool:
        return (await client.get(f"{RULES}/{rule['id']}")).json()["last_run"] is not None

    await until(is_through, seconds=120)
    return dict((await client.get(f"{RULES}/{rule['id']}")).json()["last_run"])


async def test_killed_in_the_middle_each_is_erased_once_everywhere(
    client: httpx.AsyncClient, on_embedded: Relata
) -> None:
    people = [
        {"full_name": f"王{n}", "source": "old", "emails": [{"address": f"p{n}@example.com"}]} for n in range(ROWS)
    ]
    old = await many(client, CONTACTS, people)
    await many(client, DEALS, [{"name": "框架", "contact_id": id_} for id_ in old])
    kept = await many(client, CONTACTS, [{"full_name": "李娜", "source": "kept"}])
    held = old[ROWS // 2]
    await create(client, HOLDS, {"contact_id": held, "reason": "117/2026"}, {})
    rule = await made_rule(client, where={"field": "source", "op": "eq", "value": "old"})
    await pass_by(on_embedded, client, 31)
    for service in ("contacts", "pipeline", "contacts", "gateway", "contacts"):
        await asyncio.sleep(0.7)
        await on_embedded.stack.restart(service)
    found = await ran(client, rule)
    assert (found["done"], found["held"], found["failed"]) == (ROWS - 1, 1, 0), found

    async def all_ended() -> bool:
        running = {"where": {"field": "status", "op": "eq", "value": "running"}, "limit": 1}
        return (await client.post(f"{REQUESTS}/search", json=running)).json()["data"] == []

    await until(all_ended, seconds=120)
    requests = await every(client, REQUESTS)
    assert sorted(request["contact_id"] for request in requests) == sorted(id_ for id_ in old if id_ != held)
    assert {request["requested_by"] for request in requests} == {rule["id"]}
    for request in requests:
        receipts = {each["service"]: each["records"] for each in request["receipts"]}
        assert (request["status"], receipts.keys(), receipts["pipeline"]) == ("succeeded", SERVICES, {"deal": 1}), (
            request
        )
    assert {each["id"] for each in await every(client, CONTACTS)} == {held, *kept}
    assert {deal["contact_id"] for deal in await every(client, DEALS)} == {None, held}


async def test_who_was_erased_is_gone_for_who_would_have_seen_them(
    client: httpx.AsyncClient, on_embedded: Relata
) -> None:
    contact = (await create(client, CONTACTS, {"full_name": "欧阳晓梅"}, {}))["id"]
    deleted = (await create(client, CONTACTS, {"full_name": "王伟"}, {}))["id"]
    await client.delete(f"{CONTACTS}/{deleted}")
    grants = [{"resources": ["contacts", "customers"], "actions": ["read"], "records": "own"}]
    role = await create(client, "/v1/roles", {"name": "own", "grants": grants}, {})
    user = await create(client, "/v1/users", {"name": "陈静", "email": "chen@example.com", "roles": [role["id"]]}, {})
    key = (await create(client, "/v1/api-keys", {"name": "own", "scopes": ["read"], "user_id": user["id"]}, {}))["key"]
    await create(client, REQUESTS, {"kind": "erasure", "contact_id": contact}, {})
    paths = (f"{CONTACTS}/{contact}", f"/v1/customers/{contact}", f"/v1/customers/{contact}/timeline")

    async def is_gone() -> bool:
        return all([(await client.get(path)).status_code == 410 for path in paths])

    await until(is_gone)
    for path in (*paths, f"/v1/customers/{contact}?consistency=live"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (410, "erased"), answer.text
        assert "欧阳" not in answer.text
        assert (await client.get(path.replace(contact, deleted))).status_code == 404
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Stranger")) as stranger:
        assert {(await stranger.get(path)).status_code for path in paths} == {404}
    async with on_embedded.client_of(key) as somebody:
        assert {(await somebody.get(path)).status_code for path in paths} == {404}
    patched = await client.patch(f"{CONTACTS}/{contact}", json={"title": "x"})
    assert (patched.status_code, (await client.delete(f"{CONTACTS}/{contact}")).status_code) == (410, 410)


async def test_a_deal_keeps_its_contact(client: httpx.AsyncClient, on_embedded: Relata) -> None:
    """What is done in other services counts as activity, by their events."""
    dealt, _ = [(await create(client, CONTACTS, {"full_name": name}, {}))["id"] for name in ("王伟", "李娜")]
    await made_rule(client, counted_from="last_activity_at", action="delete")
    await pass_by(on_embedded, client, 25)
    await create(client, DEALS, {"name": "框架", "contact_id": dealt}, {})
    connection = await asyncpg.connect(on_embedded.stack.database_url("contacts"))

    async def is_noted() -> bool:
        return bool(await connection.fetchval("select count(*) from last_activity where contact_id = $1", dealt))

    await until(is_noted)
    await connection.close()
    await pass_by(on_embedded, client, 6)

    async def only_one() -> bool:
        return len(await every(client, CONTACTS)) == 1

    await until(only_one, seconds=60)
    assert [each["id"] for each in await every(client, CONTACTS)] == [dealt]
