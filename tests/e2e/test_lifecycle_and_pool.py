"""A customer's stages and owners, as the customer view and its timeline tell of them; what nobody owns, masked on every path."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest_asyncio
from crm_testkit.whole_stack import Relata, differences

PHONE, EMAIL = "+8613800138000", "wei.pool@example.com"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenant(on_embedded: Relata) -> Any:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Pool")) as client:
        yield client


async def made(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def a_salesperson(on_embedded: Relata, tenant: httpx.AsyncClient, *roles: str) -> tuple[str, httpx.AsyncClient]:
    email = f"{uuid.uuid4().hex}@example.com"
    user = await made(tenant, "/v1/users", name="销售", email=email, roles=list(roles))
    scopes = ["read", "write", "admin"]
    key = await made(tenant, "/v1/api-keys", name="x", scopes=scopes, user_id=user["id"])
    return user["id"], on_embedded.client_of(key["key"])


async def view_with(client: httpx.AsyncClient, contact_id: str, kind: str) -> dict[str, Any]:
    """The stored view, once its timeline has such an entry."""
    async with asyncio.timeout(30):
        while True:
            answer = await client.get(f"/v1/customers/{contact_id}")
            if answer.status_code == 200 and any(entry["kind"] == kind for entry in answer.json()["timeline"]):
                found: dict[str, Any] = answer.json()
                return found
            await asyncio.sleep(0.1)


async def test_the_timeline_says_who_became_what_and_why(tenant: httpx.AsyncClient) -> None:
    for path, body in (("contacts", {"full_name": "王伟"}), ("accounts", {"name": "Acme"})):
        record = await made(tenant, f"/v1/{path}", **body)
        kind = f"{path[:-1]}.lifecycle_changed"
        change = {"lifecycle_stage": "customer", "lifecycle_reason": "签约"}
        assert (await tenant.patch(f"/v1/{path}/{record['id']}", json=change)).status_code == 200
        view = await view_with(tenant, record["id"], kind)
        entry = next(entry for entry in view["timeline"] if entry["kind"] == kind)
        assert entry["title"] == f"{body.get('full_name') or body.get('name')} → customer"
        assert entry["data"] == {"lifecycle_stage": "customer", "from_stage": "lead", "lifecycle_reason": "签约"}
        assert entry["actor"] == view["timeline"][0]["actor"]
        assert view["lifecycle_stage"] == "customer"
        page = (await tenant.get(f"/v1/customers/{record['id']}/timeline", params={"kinds": kind})).json()
        assert [each["id"] for each in page["data"]] == [entry["id"]]
        live = (await tenant.get(f"/v1/customers/{record['id']}", params={"consistency": "live"})).json()
        assert not differences(view, live)


async def test_what_nobody_has_claimed_is_masked_on_every_path_and_then_clear(
    on_embedded: Relata, tenant: httpx.AsyncClient
) -> None:
    pool = await made(tenant, "/v1/pools", name="公海", return_after_days=30)
    contact = await made(
        tenant,
        "/v1/contacts",
        full_name="王小伟",
        phones=[{"number": PHONE}],
        emails=[{"address": EMAIL}],
        pool_id=pool["id"],
    )
    path = f"/v1/customers/{contact['id']}"
    await view_with(tenant, contact["id"], "contact.created")
    me, mine = await a_salesperson(on_embedded, tenant, "sales", "pool")
    _, others = await a_salesperson(on_embedded, tenant, "sales")
    async with mine, others:
        where = {"field": "pool_id", "op": "eq", "value": pool["id"]}
        answers = [
            await mine.get(f"/v1/contacts/{contact['id']}"),
            await mine.get("/v1/contacts", params={"pool_id": pool["id"], "pooled": "true"}),
            await mine.post("/v1/contacts/search", json={"where": where}),
            await mine.get(path),
            await mine.get(path, params={"consistency": "live"}),
            await mine.get(f"{path}/timeline"),
            await mine.get("/v1/customers"),
        ]
        for answer in answers:
            assert answer.status_code == 200, answer.text
            assert contact["id"] in answer.text, answer.url
            for secret in (PHONE, EMAIL, "王小伟"):
                assert secret not in answer.text, answer.url
        assert answers[3].json()["profile"]["phones"][0]["number"] == "+86138****8000"
        found = await mine.get("/v1/customers/lookup", params={"phone": PHONE})
        assert contact["id"] not in found.text
        assert (await others.get(f"/v1/contacts/{contact['id']}")).status_code == 404
        assert (await others.post(f"/v1/contacts/{contact['id']}/claim", json={})).status_code == 403

        claimed = await mine.post(f"/v1/contacts/{contact['id']}/claim", json={})
        assert claimed.status_code == 200, claimed.text
        assert claimed.json()["phones"][0]["number"] == PHONE
        view = await view_with(mine, contact["id"], "contact.claimed")
        assert view["profile"]["phones"][0]["number"] == PHONE
        entry = next(entry for entry in view["timeline"] if entry["kind"] == "contact.claimed")
        assert (entry["actor"], entry["data"]["owner_id"]) == (me, me)
        released = await mine.post(f"/v1/contacts/{contact['id']}/release", json={"reason": "无意向"})
        assert released.status_code == 200, released.text
        told = await view_with(tenant, contact["id"], "contact.released")
        assert told["timeline"][0]["data"]["pool_reason"] == "无意向"
        audit = (await tenant.get("/v1/audit-log", params={"entity_id": contact["id"]})).json()["data"]
        assert {"claimed", "released"} <= {entry["action"] for entry in audit}
