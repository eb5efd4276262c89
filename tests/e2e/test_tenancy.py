"""A second tenant sees nothing of the first: on no operation of the merged document, in no table."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import httpx
import pytest_asyncio
from crm_contracts.ids import new_id, prefix_of
from crm_local.configuration import PROCESSES
from crm_local.credentials import ensure_credentials
from crm_testkit.backfills import cancelled_backfill
from crm_testkit.customer_world import World
from crm_testkit.merged_document import Operation, operations_of
from crm_testkit.one_of_everything import (
    ACCOUNTS,
    BODIES,
    CONTACTS,
    INBOUND_SOURCES,
    MESSAGES,
    SEGMENTS,
    WEBHOOK_ENDPOINTS,
    create,
    import_a_file,
    make_one_of_everything,
)
from crm_testkit.unusual_operations import (
    ACTIONS,
    ADMINISTRATION,
    MADE_OTHERWISE,
    OWN_FROM_THE_START,
    PUBLIC,
    READY_ROLES,
    TENANTS,
)
from crm_testkit.webhooks import paused_endpoint
from crm_testkit.whole_stack import Relata

CUSTOMERS, DEAD_LETTERS = "/v1/customers", "/v1/dead-letters"
DELIVERIES = "/v1/webhook-endpoints/{entity_id}/deliveries"
REPLAYS = "/v1/webhook-endpoints/{entity_id}/replays"
BACKFILLS = "/v1/inbound-sources/{entity_id}/backfills"


def creates(operation: Operation) -> bool:
    return operation.makes_something and operation.spec["operationId"] not in ACTIONS


@dataclass(frozen=True)
class Tenant:
    client: httpx.AsyncClient
    tenant_id: str
    ids: dict[str, str]


@dataclass(frozen=True)
class Two:
    operations: list[Operation]
    a: Tenant
    b: Tenant

    def fill(self, operation: Operation, ids: list[str]) -> str:
        found = iter(ids)
        return re.sub(r"\{[^}]+\}", lambda _: next(found), operation.path)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two(on_embedded: Relata) -> Any:
    document = (await on_embedded.client.get("/openapi.json")).json()
    operations = operations_of(document)
    a = on_embedded.client_of(await on_embedded.new_tenant_key("A"))
    b = on_embedded.client_of(await on_embedded.new_tenant_key("B"))
    async with a, b:
        missing = {op.path for op in operations if creates(op)} - set(BODIES) - MADE_OTHERWISE
        assert not missing, f"add bodies to crm_testkit.one_of_everything for {missing}"
        ids = await make_one_of_everything(a)
        for collection in BODIES:  # a second one, so that every list has a next page
            await create(a, collection, BODIES[collection](ids), ids)
        await import_a_file(a)
        await _wait_for_view(a, ids)
        tenants = [(await client.get(TENANTS)).json()["data"] for client in (a, b)]
        assert [len(found) for found in tenants] == [1, 1]
        ids[TENANTS] = tenants[0][0]["id"]
        ids[WEBHOOK_ENDPOINTS], ids[DELIVERIES], ids[REPLAYS] = await paused_endpoint(a)
        ids[INBOUND_SOURCES], ids[BACKFILLS] = await cancelled_backfill(a)
        ids[DEAD_LETTERS] = await _make_dead_letters(on_embedded, a, ids[TENANTS])
        yield Two(operations, Tenant(a, ids[TENANTS], ids), Tenant(b, tenants[1][0]["id"], {}))


async def _make_dead_letters(relata: Relata, client: httpx.AsyncClient, tenant_id: str) -> str:
    """An event of a version that nobody knows is parked by each of its consumers, in four services."""
    world = World(tenant_id)
    world.create("contact")
    [(topic, event)] = world.events
    await relata.publish((topic, replace(event, type="crm.contacts.contact.created.v2")))
    async with asyncio.timeout(30):
        while len(data := (await client.get(DEAD_LETTERS)).json()["data"]) < 6:
            await asyncio.sleep(0.05)
    assert {letter["service"] for letter in data} == {"gateway", "pipeline", "tickets", "campaigns"}
    return str(data[0]["id"])


async def _wait_for_view(client: httpx.AsyncClient, ids: dict[str, str]) -> None:
    for customer in (ids[CONTACTS], ids[ACCOUNTS]):
        answer = await client.get(f"{CUSTOMERS}/{customer}", headers={"Consistency-Token": f"{customer}@1"})
        assert answer.status_code == 200, answer.text


def _id_sets(operation: Operation, ids: dict[str, str]) -> Iterator[list[str]]:
    """A's ids for the path, for customers both kinds."""
    for customer in (CONTACTS, ACCOUNTS):
        found = []
        for name, collection in operation.parameters:
            if collection == CUSTOMERS:
                found.append(ids[customer])
            elif collection in ids:
                found.append(ids[collection])
            else:
                assert name == "contact_id", f"{operation}: which of A's ids is {{{name}}}?"
                found.append(ids[CONTACTS])
        yield found
        if all(collection != CUSTOMERS for _, collection in operation.parameters):
            return


def _stranger(entity_id: str) -> str:
    prefix = prefix_of(entity_id)
    assert prefix is not None
    return new_id(prefix)


def _told(answer: httpx.Response, *ids: str) -> tuple[int, str]:
    """What an answer tells, without the ids that were asked for and what differs each time."""
    text = re.sub(r'"(trace_id|created_at|updated_at|placed_at|status_at|at)":"[^"]*"', "", answer.text)
    return answer.status_code, re.sub(r"[a-z_]+_[0-7][0-9a-z]{25}", "ID", text)


async def _call(client: httpx.AsyncClient, operation: Operation, path: str, ids: dict[str, str]) -> httpx.Response:
    body: Any = None
    if creates(operation):
        body = BODIES[operation.path](ids)
    elif "requestBody" in operation.spec:
        body = ACTIONS.get(operation.spec["operationId"], {})
    return await client.request(operation.method.upper(), path, json=body)


async def test_every_id_of_a_is_unknown_to_b_on_every_operation(two: Two) -> None:
    before = await _everything_of(two)
    seen = 0
    for operation in two.operations:
        if not operation.parameters or operation.path in PUBLIC:
            continue
        if (operation.method, operation.path) in ADMINISTRATION:
            answer = await _call(two.b.client, operation, two.fill(operation, [two.a.ids[TENANTS]]), two.a.ids)
            assert answer.status_code in (403, 404), f"{operation}: {answer.status_code} {answer.text}"
            continue
        for ids in _id_sets(operation, two.a.ids):
            answer = await _call(two.b.client, operation, two.fill(operation, ids), two.a.ids)
            assert answer.status_code == 404, f"{operation}: {answer.status_code} {answer.text}"
            strange = [_stranger(each) for each in ids]
            other = await _call(two.b.client, operation, two.fill(operation, strange), two.a.ids)
            assert _told(answer) == _told(other), f"{operation} tells B that there is such an id"
            seen += 1
    assert seen > 40
    assert await _everything_of(two) == before


async def test_a_parent_of_b_with_a_child_of_a_is_unknown(two: Two) -> None:
    own = await create(two.b.client, CONTACTS, {"full_name": "王伟"}, {})
    ticket = await create(two.b.client, "/v1/tickets", {"subject": "发票"}, {})
    segment = await create(two.b.client, SEGMENTS, {"name": "B"}, {})
    endpoint = await create(two.b.client, WEBHOOK_ENDPOINTS, {"transport": "pull"}, {})
    parents = {
        CONTACTS: own["id"],
        "/v1/tickets": ticket["id"],
        SEGMENTS: segment["id"],
        WEBHOOK_ENDPOINTS: endpoint["id"],
        INBOUND_SOURCES: (await create(two.b.client, INBOUND_SOURCES, {"name": "B", "kind": "erp"}, {}))["id"],
    }
    for operation in two.operations:
        if len(operation.parameters) < 2:
            continue
        [ids] = _id_sets(operation, two.a.ids)
        mixed = [parents[operation.parameters[0][1]], *ids[1:]]
        answer = await _call(two.b.client, operation, two.fill(operation, mixed), two.a.ids)
        assert answer.status_code == 404, f"{operation}: {answer.status_code} {answer.text}"
    for collection, entity_id in parents.items():
        assert (await two.b.client.delete(f"{collection}/{entity_id}")).status_code == 204


async def test_every_list_and_search_of_b_is_empty(two: Two) -> None:
    looked = 0
    for operation in two.operations:
        if not (operation.lists or operation.searches or operation.path.endswith("/export")):
            continue
        answer = await _call(two.b.client, operation, operation.path, {})
        assert answer.status_code == 200, f"{operation}: {answer.status_code} {answer.text}"
        _holds_nothing_of(two.a, operation, answer)
        if operation.scim:
            assert (answer.json()["totalResults"], answer.json()["Resources"]) == (0, []), f"{operation}"
        elif operation.path.removesuffix("/search") not in OWN_FROM_THE_START:
            assert answer.json() == {"data": [], "next_cursor": None}, f"{operation}"
        looked += 1
    assert looked > 20


def _holds_nothing_of(tenant: Tenant, operation: Operation, answer: httpx.Response) -> None:
    for entity_id in (*tenant.ids.values(), tenant.tenant_id):
        assert entity_id not in answer.text, f"{operation} shows {entity_id}"


async def test_a_filter_by_an_id_of_a_finds_nothing(two: Two) -> None:
    for operation in two.operations:
        names = [p["name"] for p in operation.spec.get("parameters", []) if p["in"] == "query"]
        for name in names:
            collections = [c for c, i in two.a.ids.items() if name in ("id", f"{prefix_of(i)}_id")]
            if not operation.lists or not collections:
                continue
            for collection in collections:
                answer = await two.b.client.get(operation.path, params={name: two.a.ids[collection]})
                assert answer.json()["data"] == [], f"{operation} by {name}"


async def test_no_lookup_finds_a_customer_of_a(two: Two) -> None:
    contact = (await two.a.client.get(f"{CONTACTS}/{two.a.ids[CONTACTS]}")).json()
    [(system, key)] = contact["external_ids"].items()
    for params in (
        {"email": contact["emails"][0]["address"]},
        {"phone": contact["phones"][0]["number"]},
        {"wechat": contact["wechat"]},
        {"external_id": f"{system}:{key}"},
    ):
        assert (await two.a.client.get(f"{CUSTOMERS}/lookup", params=params)).status_code in (200, 409)
        answer = await two.b.client.get(f"{CUSTOMERS}/lookup", params=params)
        assert answer.status_code == 404, f"{params}: {answer.text}"


async def test_a_cursor_of_a_is_none_of_b(two: Two) -> None:
    tried = 0
    for operation in two.operations:
        if operation.scim:
            continue
        if operation.lists:
            page = await two.a.client.get(operation.path, params={"limit": 1})
        elif operation.searches:
            page = await two.a.client.post(operation.path, json={"limit": 1})
        else:
            continue
        cursor = page.json()["next_cursor"]
        if cursor is None:
            of_one_day = operation.spec["operationId"].startswith("digest_")  # all that A has is of today
            assert of_one_day or operation.path.removesuffix("/search") in (TENANTS, MESSAGES, READY_ROLES), (
                f"{operation}: A has but one"
            )
            continue
        if operation.lists:
            answer = await two.b.client.get(operation.path, params={"limit": 1, "cursor": cursor})
        else:
            answer = await two.b.client.post(operation.path, json={"limit": 1, "cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), f"{operation}"
        tried += 1
    assert tried > 15


async def test_a_batch_reaches_nothing_of_a(two: Two) -> None:
    before = await _everything_of(two)
    for operation in two.operations:
        collection = operation.path.removesuffix("/batch")
        if operation.method != "post" or collection == operation.path:
            continue
        entity_id = two.a.ids[collection]
        operations = [{"method": "update", "id": each, "data": {}} for each in (entity_id, _stranger(entity_id))]
        answer = await two.b.client.post(operation.path, json={"operations": operations})
        assert answer.status_code == 200, f"{operation}: {answer.text}"
        ours, random = answer.json()["results"]
        assert ours["status"] == 404, f"{operation}: {ours}"
        assert ours["error"]["code"] == random["error"]["code"]
    assert await _everything_of(two) == before


async def test_an_upsert_never_finds_a_contact_of_a(two: Two) -> None:
    contact = (await two.a.client.get(f"{CONTACTS}/{two.a.ids[CONTACTS]}")).json()
    data = {name: contact[name] for name in ("emails", "phones", "external_ids")}
    for match in ("email", "phone", "external_id"):
        operations = [{"method": "upsert", "match": match, "data": data}]
        answer = await two.b.client.post(f"{CONTACTS}/batch", json={"operations": operations})
        [result] = answer.json()["results"]
        assert result["status"] in (200, 201), result
        assert result["id"] != contact["id"]
    assert (await two.b.client.delete(f"{CONTACTS}/{result['id']}")).status_code == 204


async def test_a_reference_to_a_tells_no_more_than_one_to_nothing(two: Two) -> None:
    """A reference may be ahead of its event, so an id of another service is taken; what it names stays unknown."""
    before = await _everything_of(two)
    view = await _view_of(two)
    strangers = {collection: _stranger(entity_id) for collection, entity_id in two.a.ids.items()}
    for collection, body in BODIES.items():
        if "{" in collection:
            continue
        referring, strange = body(two.a.ids), body(strangers)
        answer = await two.b.client.post(collection, json=referring)
        other = await two.b.client.post(collection, json=strange)
        if answer.status_code == other.status_code == 201:
            assert _beyond(answer, referring) == _beyond(other, strange), collection
        else:
            assert _told(answer) == _told(other), f"{collection}: {answer.text} {other.text}"
    assert await _everything_of(two) == before
    assert await _view_of(two) == view
    for customer in (CONTACTS, ACCOUNTS):
        for params in ({}, {"consistency": "live"}):
            answer = await two.b.client.get(f"{CUSTOMERS}/{two.a.ids[customer]}", params=params)
            assert answer.status_code == 404, "what B wrote about A's customer made it B's"


def _beyond(answer: httpx.Response, given: dict[str, Any]) -> str:
    """What the answer says beyond what was given, without what differs from one entity to the next."""
    own = {"number", "key", "secret", "prefix", "emails", *given}  # SCIM's `emails` repeat its `userName`
    text = json.dumps({name: value for name, value in answer.json().items() if name not in own}, sort_keys=True)
    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z|[a-z_]+_[0-7][0-9a-z]{25}", "…", text)


async def _everything_of(two: Two) -> dict[str, Any]:
    """A's things as A reads them."""
    found: dict[str, Any] = {}
    for operation in two.operations:
        if operation.method == "get" and operation.parameters and operation.path not in PUBLIC:
            if operation.parameters[0][1] == CUSTOMERS or operation.path.endswith(("/report", "/progress")):
                continue
            for ids in _id_sets(operation, two.a.ids):
                path = two.fill(operation, ids)
                answer = await two.a.client.get(path)
                assert answer.status_code == 200, f"{operation}: {answer.text}"
                text = re.sub(r'"last_used_at":"[^"]*"', '"last_used_at":null', answer.text)
                found[path] = json.loads(text) if "json" in answer.headers["content-type"] else text
    return found


async def _view_of(two: Two) -> dict[str, Any]:
    answer = await two.a.client.get(f"{CUSTOMERS}/{two.a.ids[CONTACTS]}", params={"consistency": "live"})
    return {name: value for name, value in answer.json().items() if name not in ("as_of", "version", "sources")}


async def test_a_query_without_tenant_returns_no_row_of_any_table(two: Two, on_embedded: Relata) -> None:
    credentials = ensure_credentials(on_embedded.stack.folder.secrets)
    filled = 0
    for name in PROCESSES:
        urls = credentials.databases[name].urls(on_embedded.stack.server_url)
        tables = await _rows(urls.owner, _TABLES)
        assert tables, f"{name} has no table of a tenant"
        connection = await asyncpg.connect(urls.app)
        try:
            role = await connection.fetchrow(_ROLE)
            assert role is not None
            assert not role["rolsuper"]
            assert not role["rolbypassrls"]
            for row in tables:
                assert row["relrowsecurity"], f"{name}.{row['relname']} has no row-level security"
                assert row["relforcerowsecurity"], f"{name}.{row['relname']} spares its owner"
                if not await connection.fetchval("select has_table_privilege($1, 'select')", row["relname"]):
                    continue
                count = f'select count(*) from "{row["relname"]}"'
                assert await connection.fetchval(count) == 0, f"{name}.{row['relname']} shows rows without a tenant"
                async with connection.transaction():
                    await connection.execute("select set_config('app.tenant_id', $1, true)", two.a.tenant_id)
                    filled += bool(await connection.fetchval(count))
        finally:
            await connection.close()
    assert filled >= 15, "the tables were empty anyway"


_TABLES = """
    select c.relname, c.relrowsecurity, c.relforcerowsecurity from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') order by 1
"""
_ROLE = "select rolsuper, rolbypassrls from pg_roles where rolname = current_user"


async def _rows(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()
