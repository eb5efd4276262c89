"""A request that asks for it is told why it is allowed or refused."""

import json
from typing import Any

from crm_testkit.door import Door, Keyholder
from crm_testkit.stand_in import Reply

ASKING = {"Relata-Explain": "rights"}


def told(answer: Any) -> dict[str, Any]:
    text = answer.headers["relata-explain"]
    assert len(text) <= 4000
    found: dict[str, Any] = json.loads(text)
    return found


async def with_roles(tenant: Keyholder, door: Door, *grants: dict[str, Any]) -> Any:
    role = await tenant.client.post("/v1/roles", json={"name": f"role {len(grants)}", "grants": list(grants)})
    assert role.status_code == 201, role.text
    body = {"name": "x", "scopes": ["read", "write"], "roles": [role.json()["id"]]}
    key = (await tenant.client.post("/v1/api-keys", json=body)).json()["key"]
    return {"Authorization": f"Bearer {key}", **ASKING}


async def test_the_grants_that_allow_it_are_named(door: Door, tenant: Keyholder) -> None:
    door.behind["pipeline"].reset(lambda _: Reply(body=b'{"data": []}'))
    where = {"field": "name", "op": "eq", "value": "欧阳"}
    own = {"resources": ["deals"], "actions": ["read"], "records": "own", "fields": {"open": "read"}}
    headers = await with_roles(
        tenant, door, own, {**own, "records": "all", "where": where}, {**own, "resources": ["orders"]}
    )
    answer = await tenant.client.get("/v1/deals", headers=headers)
    assert answer.status_code == 200
    granted = {"actions": ["read"], "fields": {"open": "read"}}
    assert told(answer) == {
        "permission": "deals:read",
        "allowed": True,
        "admin": False,
        "grants": [{**granted, "records": "own"}, {**granted, "records": "all", "where": where}],
    }
    refused = await tenant.client.post("/v1/deals", headers=headers, json={})
    assert refused.status_code == 403
    assert told(refused) == {"permission": "deals:create", "allowed": False, "admin": False, "grants": []}
    local = await tenant.client.get("/v1/users", headers=headers)
    assert (local.status_code, told(local)["permission"]) == (403, "users:read")
    view = await tenant.client.get("/v1/customers/contact_01jd3zq8w9e2vbx7k5m4n6p8qr", headers=headers)
    assert (view.status_code, told(view)["allowed"]) == (403, False)


async def test_a_scope_that_is_missing_is_named(door: Door, tenant: Keyholder) -> None:
    client = await door.key(tenant, "deals:read")
    answer = await client.get("/v1/orders", headers=ASKING)
    assert answer.status_code == 403
    assert told(answer) == {
        "permission": "orders:read",
        "allowed": False,
        "missing_scope": "orders:read",
        "grants": None,
    }


async def test_a_long_explanation_is_cut_and_says_so(door: Door, tenant: Keyholder) -> None:
    where = {"field": "name", "op": "in", "value": ["欧阳" * 20] * 20}
    own = {"resources": ["deals"], "actions": ["read"], "records": "own", "fields": {"open": "read"}, "where": where}
    headers = await with_roles(tenant, door, *[own] * 4)
    assert told(await tenant.client.post("/v1/deals/search", headers=headers, json={}))["more"] == 4


async def test_nobody_is_told_who_did_not_ask(tenant: Keyholder) -> None:
    assert "relata-explain" not in (await tenant.client.get("/v1/users")).headers
    other = await tenant.client.get("/v1/users", headers={"Relata-Explain": "everything"})
    assert "relata-explain" not in other.headers
