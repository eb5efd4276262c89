"""API keys: made, shown once, kept as a digest, scoped, limited in time, revoked."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest
from crm_kit.http.principal import scope_of
from crm_testkit.door import Door, Keyholder
from crm_testkit.stand_in import Reply


async def test_a_key_is_shown_once_and_works(door: Door, tenant: Keyholder) -> None:
    response = await tenant.client.post("/v1/api-keys", json={"name": "Shop", "scopes": ["write", "read"]})
    assert response.status_code == 201
    made = response.json()
    key = made.pop("key")
    assert made["scopes"] == ["read", "write"]
    assert key.startswith(made["prefix"] + "_")
    assert len(key) == len("relata_") + 26 + 1 + 43
    assert response.headers["location"] == f"/v1/api-keys/{made['id']}"
    assert (await tenant.client.get(f"/v1/api-keys/{made['id']}")).json() == made
    assert made in (await tenant.client.get("/v1/api-keys")).json()["data"]
    assert (await door.client(key).get("/v1/contacts")).status_code == 200


async def test_the_database_knows_digests_only(door: Door, tenant: Keyholder) -> None:
    headers = {"Idempotency-Key": "once"}
    made = (await tenant.client.post("/v1/api-keys", json={"name": "Shop"}, headers=headers)).json()
    again = await tenant.client.post("/v1/api-keys", json={"name": "Shop"}, headers=headers)
    assert again.json() == made
    owner = await asyncpg.connect(door.service.urls.owner)
    try:
        await owner.execute("select set_config('app.tenant_id', $1, false)", tenant.id)
        rows = [tuple(row) for row in await owner.fetch("select * from api_key")]
        rows += [tuple(row) for row in await owner.fetch("select * from idempotency")]
        rows += [tuple(row) for row in await owner.fetch("select * from outbox")]
    finally:
        await owner.close()
    assert hashlib.sha256(made["key"].encode()).digest() in [value for row in rows for value in row]
    random_part = made["key"].removeprefix(made["prefix"] + "_")
    for value in (value for row in rows for value in row):
        text = value if isinstance(value, bytes) else str(value).encode()
        assert made["key"].encode() not in text
        assert random_part.encode() not in text


async def test_a_revoked_key_is_refused_at_once(door: Door, tenant: Keyholder) -> None:
    made = (await tenant.client.post("/v1/api-keys", json={"name": "Shop"})).json()
    client = door.client(made["key"])
    assert (await client.get("/v1/contacts")).status_code == 200
    assert (await tenant.client.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
    assert (await client.get("/v1/contacts")).status_code == 401
    assert (await tenant.client.get(f"/v1/api-keys/{made['id']}")).status_code == 404


async def test_a_key_that_another_process_revoked_is_refused_within_seconds(door: Door, tenant: Keyholder) -> None:
    made = (await tenant.client.post("/v1/api-keys", json={"name": "Shop"})).json()
    client = door.client(made["key"])
    assert (await client.get("/v1/contacts")).status_code == 200
    owner = await asyncpg.connect(door.service.urls.owner)
    try:
        await owner.execute("select set_config('app.tenant_id', $1, false)", tenant.id)
        await owner.execute("delete from api_key where id = $1", made["id"])
    finally:
        await owner.close()
    async with asyncio.timeout(7):
        while (await client.get("/v1/contacts")).status_code == 200:
            await asyncio.sleep(0.2)


async def test_an_expired_key_is_refused(door: Door, tenant: Keyholder) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    client = await door.key(tenant, "read", expires_at=soon.isoformat())
    assert (await client.get("/v1/contacts")).status_code == 200
    async with asyncio.timeout(5):
        while (await client.get("/v1/contacts")).status_code == 200:
            await asyncio.sleep(0.1)
    assert datetime.now(UTC) >= soon


async def test_an_expiry_in_the_past_is_refused(tenant: Keyholder) -> None:
    response = await tenant.client.post(
        "/v1/api-keys", json={"name": "Late", "expires_at": "2026-01-01T00:00:00Z"}, headers={"Accept-Language": "zh"}
    )
    assert response.status_code == 422
    assert "将来" in response.json()["errors"][0]["detail"]


SCOPES = [
    # scopes of the key, method, path, whether it may
    ({"read"}, "GET", "/v1/contacts", True),
    ({"read"}, "HEAD", "/v1/contacts", True),
    ({"read"}, "POST", "/v1/contacts/search", True),
    ({"read"}, "POST", "/v1/contacts", False),
    ({"read"}, "POST", "/v1/contacts/batch", False),
    ({"read"}, "PATCH", "/v1/contacts/x", False),
    ({"read"}, "PUT", "/v1/contacts/x", False),
    ({"read"}, "DELETE", "/v1/contacts/x", False),
    ({"write"}, "POST", "/v1/deals", True),
    ({"write"}, "DELETE", "/v1/deals/x", True),
    ({"write"}, "GET", "/v1/deals", False),
    ({"write"}, "POST", "/v1/deals/search", False),
    ({"read", "write"}, "GET", "/v1/api-keys", False),
    ({"read", "write"}, "DELETE", "/v1/api-keys/x", False),
    ({"admin"}, "GET", "/v1/api-keys", True),
    ({"admin"}, "GET", "/v1/tickets", False),
    ({"write"}, "GET", "/v1/tenants", False),
]


@pytest.mark.parametrize(("scopes", "method", "path", "allowed"), SCOPES)
async def test_scopes(door: Door, tenant: Keyholder, scopes: set[str], method: str, path: str, allowed: bool) -> None:
    client = await door.key(tenant, *scopes)
    response = await client.request(method, path, json={} if method in ("POST", "PATCH", "PUT") else None)
    if allowed:
        assert response.status_code == 200
    else:
        problem = response.json()
        assert (response.status_code, problem["code"]) == (403, "forbidden")
        action = scope_of(problem["missing_permission"]).rpartition(":")[2]
        assert action in {"read", "write", "admin"} - scopes


async def test_a_key_cannot_give_what_it_lacks(door: Door, tenant: Keyholder) -> None:
    clerk = await door.key(tenant, "admin", "read")
    response = await clerk.post("/v1/api-keys", json={"name": "More", "scopes": ["read", "write"]})
    assert (response.status_code, response.json()["code"]) == (403, "scope_not_held")
    assert response.json()["missing_permission"] == "write"
    assert (await clerk.post("/v1/api-keys", json={"name": "Same", "scopes": ["read"]})).status_code == 201
    keys = (await tenant.client.get("/v1/api-keys")).json()["data"]
    first = next(key for key in keys if key["name"] == "First key")
    assert (await clerk.delete(f"/v1/api-keys/{first['id']}")).json()["code"] == "scope_not_held"


async def test_the_last_key_that_may_manage_keys_stays(tenant: Keyholder) -> None:
    [first] = (await tenant.client.get("/v1/api-keys")).json()["data"]
    response = await tenant.client.delete(f"/v1/api-keys/{first['id']}")
    assert (response.status_code, response.json()["code"]) == (409, "last_admin_key")
    await tenant.client.post("/v1/api-keys", json={"name": "Next", "scopes": ["admin"]})
    assert (await tenant.client.delete(f"/v1/api-keys/{first['id']}")).status_code == 204


async def test_keys_of_another_tenant_are_not_there(door: Door, tenant: Keyholder) -> None:
    other = await door.tenant("Other")
    [key] = (await other.client.get("/v1/api-keys")).json()["data"]
    assert (await tenant.client.get(f"/v1/api-keys/{key['id']}")).status_code == 404
    assert (await tenant.client.delete(f"/v1/api-keys/{key['id']}")).status_code == 404
    assert key["id"] not in (await tenant.client.get("/v1/api-keys")).text


async def test_the_last_use_is_noted_to_the_hour(door: Door, tenant: Keyholder) -> None:
    await tenant.client.get("/v1/contacts")
    await _flush_usage(door)
    [key] = (await tenant.client.get("/v1/api-keys")).json()["data"]
    used = datetime.fromisoformat(key["last_used_at"])
    assert (used.minute, used.second) == (0, 0)
    assert timedelta() <= datetime.now(UTC) - used <= timedelta(hours=1, minutes=1)
    assert key["version"] == 2
    await _flush_usage(door)
    [key] = (await tenant.client.get("/v1/api-keys")).json()["data"]
    assert key["version"] == 2


async def _flush_usage(door: Door) -> None:
    """What the process does every half minute."""
    await door.authenticator.usage.flush()  # type: ignore[attr-defined]  # the door knows authenticators by their port


WRONG = [
    ({}, 'Bearer realm="relata"'),
    ({"Authorization": "Bearer"}, 'Bearer realm="relata", error="invalid_request"'),
    ({"Authorization": "Basic dXNlcjpwYXNz"}, 'Bearer realm="relata", error="invalid_request"'),
    ({"Authorization": "Bearer wrong"}, 'Bearer realm="relata", error="invalid_token"'),
    (
        {"Authorization": "Bearer relata_01jd3zq8w9e2vbx7k5m4n6p8qr_" + "A" * 43},
        'Bearer realm="relata", error="invalid_token"',
    ),
    ({"Authorization": "Bearer " + "A" * 5000}, 'Bearer realm="relata", error="invalid_token"'),
]


@pytest.mark.parametrize(("headers", "challenge"), WRONG)
async def test_wrong_credentials_are_challenged(door: Door, headers: dict[str, str], challenge: str) -> None:
    for path in ("/v1/contacts", "/v1/customers", "/v1/api-keys"):
        response = await door.client().get(path, headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
        assert response.headers["www-authenticate"] == challenge


async def test_a_truncated_and_a_lengthened_key_are_wrong(door: Door, tenant: Keyholder) -> None:
    for key in (tenant.key[:-1], tenant.key + "A", tenant.key[:-1] + ("A" if tenant.key[-1] != "A" else "B")):
        assert (await door.client(key).get("/v1/contacts")).status_code == 401


async def test_a_hundred_requests_at_once_with_a_fresh_key_all_pass(door: Door, tenant: Keyholder) -> None:
    door.behind["contacts"].reset(lambda _: Reply(body=json.dumps({"data": []}).encode()))
    answers = await asyncio.gather(*(tenant.client.get("/v1/contacts") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {httpx.codes.OK}
