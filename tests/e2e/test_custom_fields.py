"""A custom field is seen as it was declared, by whatever way a customer is looked at."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest_asyncio
from crm_testkit.whole_stack import Relata, bearer

Json = dict[str, Any]
CUSTOM = {"level": "gold", "hobby": "钓鱼", "passport": "E1234567"}


@pytest_asyncio.fixture(loop_scope="session")
async def client(relata: Relata) -> AsyncIterator[httpx.AsyncClient]:
    key = await relata.new_tenant_key()
    async with httpx.AsyncClient(base_url=relata.gateway_url, headers=bearer(key), timeout=30) as client:
        yield client


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> Json:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def until(ask: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    async with asyncio.timeout(30):
        while (found := await ask()) != wanted:
            await asyncio.sleep(0.2)
    assert found == wanted


async def test_views_lists_and_the_audit_log_show_it_as_declared(relata: Relata, client: httpx.AsyncClient) -> None:
    for name, sensitivity in (("level", "open"), ("hobby", "personal"), ("passport", "private")):
        declared = {"resource": "contacts", "name": name, "label": {"en": name}, "type": "text"}
        await post(client, "/v1/custom-fields", **declared, sensitivity=sensitivity)
    contact = await post(client, "/v1/contacts", full_name="欧阳晓梅", custom=CUSTOM)
    path = f"/v1/customers/{contact['id']}"
    assert (await client.get(path)).json()["profile"]["custom"] == CUSTOM

    gold = {"field": "custom.level", "op": "eq", "value": "gold"}
    every = {"actions": ["read"], "records": "all", "fields": {"open": "read", "personal": "masked"}}
    grants = [{**every, "resources": ["customers", "audit-log"]}, {**every, "resources": ["contacts"], "where": gold}]
    roles: list[str] = []

    async def made_role() -> int:  # the gateway hears of a field a moment after it is declared
        answer = await client.post("/v1/roles", json={"name": "gold", "grants": grants})
        assert answer.status_code == 201 or answer.json()["errors"][0]["code"] == "unknown_field", answer.text
        roles.extend([answer.json()["id"]] if answer.status_code == 201 else [])
        return answer.status_code

    await until(made_role, 201)
    key = (await post(client, "/v1/api-keys", name="x", scopes=["read", "audit-log:read"], roles=roles))["key"]
    shown = {"level": "gold", "hobby": "钓***"}
    async with httpx.AsyncClient(base_url=relata.gateway_url, headers=bearer(key), timeout=30) as some:

        async def seen(query: str = "") -> Any:
            answer = await some.get(path + query)
            return answer.json()["profile"].get("custom") if answer.status_code == 200 else answer.status_code

        await until(seen, shown)
        assert await seen() == shown  # as it was redacted before
        assert await seen("?consistency=live") == shown
        view = (await some.get(path)).json()
        assert {"profile.custom.passport", "profile.custom.*"} <= set(view["redacted"])
        assert "profile.custom.hobby" in view["masked"]
        listed = (await some.get("/v1/customers", params={"kind": "contact"})).json()["data"]
        assert [one["profile"]["custom"] for one in listed] == [shown]
        assert (await some.get(f"/v1/contacts/{contact['id']}")).json()["custom"] == shown
        entries = (await some.get("/v1/audit-log", params={"entity_id": contact["id"], "action": "created"})).json()
        assert "E1234567" not in str(entries)
        member = {"action": "read", "resource": "contacts", "id": contact["id"], "member": "custom.hobby"}
        checked = await some.post("/v1/access/check", json={"checks": [member]})
        assert checked.json()["results"][0]["access"] == "masked"

        changed = await client.patch(f"/v1/contacts/{contact['id']}", json={"custom": {"level": "silver"}})
        assert changed.status_code == 200
        await until(seen, 404)
        assert (await some.get("/v1/customers", params={"kind": "contact"})).json()["data"] == []
        moved = {
            "resources": ["contacts"],
            "where": {**gold, "value": "silver"},
            "to": {"owner_id": None},
            "dry_run": True,
        }
        assert (await client.post("/v1/transfers", json=moved)).status_code == 201
