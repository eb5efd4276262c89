"""Tenants: made by the admin key alone, sealed off from one another."""

import uuid
from collections.abc import Callable

import asyncpg
from crm_kit.db.migrations import differences
from crm_kit.db.session import make_engine
from crm_testkit.door import Door, Keyholder
from gateway.base import METADATA


async def test_the_admin_key_makes_a_tenant_whose_first_key_works(door: Door) -> None:
    response = await door.admin.post("/v1/tenants", json={"name": "云帆科技", "region": "CN"})
    assert response.status_code == 201
    made = response.json()
    key = made.pop("api_key")
    assert made.keys() == {"id", "version", "created_at", "updated_at", "name", "region"}
    assert response.headers["location"] == f"/v1/tenants/{made['id']}"
    assert response.headers["etag"] == '"1"'
    assert (await door.client(key).get(f"/v1/tenants/{made['id']}")).json() == made

    [event] = await door.service.events("crm.gateway.tenant", key=made["id"])
    assert (event.type, event.entity, event.tenant_id) == ("crm.gateway.tenant.created.v1", made, made["id"])
    assert event.actor_id == "admin"
    assert key not in str(event)


async def test_a_repeated_creation_answers_the_first_tenant_and_its_key(door: Door) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = await door.admin.post("/v1/tenants", json={"name": "A", "region": "DE"}, headers=key)
    again = await door.admin.post("/v1/tenants", json={"name": "A", "region": "DE"}, headers=key)
    assert again.json() == first.json()
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    other = await door.admin.post("/v1/tenants", json={"name": "B", "region": "DE"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_the_kept_answer_holds_no_secret_in_the_clear(door: Door) -> None:
    key = str(uuid.uuid4())
    made = await door.admin.post("/v1/tenants", json={"name": "A", "region": "DE"}, headers={"Idempotency-Key": key})
    owner = await asyncpg.connect(door.service.urls.owner)
    try:
        await owner.execute("select set_config('app.tenant_id', 'admin', false)")
        body = await owner.fetchval("select body from idempotency where key = $1", key)
    finally:
        await owner.close()
    assert body
    for secret in (made.json()["api_key"], made.json()["id"], "api_key"):
        assert secret.encode() not in body


async def test_nobody_else_makes_or_changes_a_tenant(door: Door, tenant: Keyholder) -> None:
    for response in (
        await tenant.client.post("/v1/tenants", json={"name": "A", "region": "CN"}),
        await tenant.client.patch(f"/v1/tenants/{tenant.id}", json={"name": "A"}),
    ):
        assert (response.status_code, response.json()["missing_permission"]) == (403, "administrator")
    assert (await door.client().post("/v1/tenants", json={"name": "A", "region": "CN"})).status_code == 401


async def test_a_tenant_sees_itself_and_the_administrator_sees_all(door: Door, tenant: Keyholder) -> None:
    other = await door.tenant("Other")
    assert (await tenant.client.get(f"/v1/tenants/{other.id}")).status_code == 404
    assert [found["id"] for found in (await tenant.client.get("/v1/tenants")).json()["data"]] == [tenant.id]
    listed = (await door.admin.get("/v1/tenants", params={"limit": 2})).json()
    assert [found["id"] for found in listed["data"]] == [other.id, tenant.id]
    assert listed["next_cursor"]
    assert (await door.admin.get(f"/v1/tenants/{other.id}")).json()["name"] == "Other"
    assert (await door.admin.get("/v1/tenants/tenant_00000000000000000000000000")).status_code == 404


async def test_the_administrator_changes_a_tenant(door: Door, tenant: Keyholder) -> None:
    changed = await door.admin.patch(f"/v1/tenants/{tenant.id}", json={"name": "New"}, headers={"If-Match": '"1"'})
    assert (changed.json()["name"], changed.json()["region"], changed.json()["version"]) == ("New", "CN", 2)
    stale = await door.admin.patch(f"/v1/tenants/{tenant.id}", json={"name": "X"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert (await door.admin.patch("/v1/tenants/tenant_00000000000000000000000000", json={})).status_code == 404


async def test_the_admin_key_opens_nothing_but_tenants(door: Door, tenant: Keyholder) -> None:
    for path in ("/v1/contacts", "/v1/api-keys", "/v1/customers", "/v1/customers/contact_00000000000000000000000000"):
        response = await door.admin.get(path)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden"), path
    assert not door.behind["contacts"].asked


async def test_input_faults_have_pointers(door: Door) -> None:
    response = await door.admin.post("/v1/tenants", json={"name": " ", "region": "XX", "colour": 1})
    assert response.status_code == 422
    assert {error["pointer"] for error in response.json()["errors"]} == {"/name", "/region", "/colour"}


async def test_without_a_tenant_no_table_shows_a_row(door: Door, tenant: Keyholder) -> None:
    for url in (door.service.urls.app, door.service.urls.owner):
        connection = await asyncpg.connect(url)
        try:
            for table in METADATA.tables:
                if table != "consumer_position":
                    assert await connection.fetchval(f"select count(*) from {table}") == 0, table
        finally:
            await connection.close()


async def test_models_and_migrations_agree(postgres_database: Callable[[str], object], door: Door) -> None:
    engine = make_engine(door.service.urls.owner)
    async with engine.connect() as connection:
        found = list(await connection.run_sync(differences, METADATA))
    await engine.dispose()
    assert [change for change in found if "alembic_version" not in str(change)] == []
