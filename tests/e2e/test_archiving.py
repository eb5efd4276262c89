"""What is archived, as views, lists of customers and look-ups tell of it."""

import asyncio
from typing import Any

import httpx
import pytest_asyncio
from crm_testkit.whole_stack import Relata, differences

NUMBER = "+8613912349999"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenant(on_embedded: Relata) -> Any:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Archive")) as client:
        yield client


async def made(client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = await client.post(path, json=body) if body is not None else await client.post(path)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def view_once(client: httpx.AsyncClient, customer_id: str, *, archived: bool) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            answer = await client.get(f"/v1/customers/{customer_id}")
            if answer.status_code == 200 and (answer.json()["profile"]["archived_at"] is not None) == archived:
                found: dict[str, Any] = answer.json()
                return found
            await asyncio.sleep(0.1)


async def listed(client: httpx.AsyncClient, **params: str) -> set[str]:
    answer = await client.get("/v1/customers", params=params)
    assert answer.status_code == 200, answer.text
    return {each["id"] for each in answer.json()["data"]}


async def test_a_view_says_so_and_lists_leave_it_out(tenant: httpx.AsyncClient) -> None:
    account = await made(tenant, "/v1/accounts", {"name": "云帆"})
    body = {"full_name": "王伟", "phones": [{"number": NUMBER}], "account_id": account["id"]}
    old, new = [await made(tenant, "/v1/contacts", body) for _ in range(2)]
    for each in (account, old, new):
        await view_once(tenant, each["id"], archived=False)
    several = await tenant.get("/v1/customers/lookup", params={"phone": NUMBER})
    assert several.status_code == 409, several.text

    await made(tenant, f"/v1/contacts/{old['id']}/archive")
    view = await view_once(tenant, old["id"], archived=True)
    assert [entry["kind"] for entry in view["timeline"]] == ["contact.archived", "contact.created"]
    live = (await tenant.get(f"/v1/customers/{old['id']}", params={"consistency": "live"})).json()
    assert not differences(view, live)
    assert await listed(tenant) == {account["id"], new["id"]}
    assert await listed(tenant, archived="true") == {old["id"]}
    assert await listed(tenant, archived="include") == {account["id"], old["id"], new["id"]}
    found = await tenant.get("/v1/customers/lookup", params={"phone": NUMBER})
    assert (found.status_code, found.json()["id"]) == (200, new["id"])
    async with asyncio.timeout(30):
        while True:
            of_account = (await tenant.get(f"/v1/customers/{account['id']}")).json()["contacts"]
            if {each["id"]: each["archived_at"] is not None for each in of_account} == {
                old["id"]: True,
                new["id"]: False,
            }:
                break
            await asyncio.sleep(0.1)

    await made(tenant, f"/v1/contacts/{old['id']}/restore")
    view = await view_once(tenant, old["id"], archived=False)
    assert [entry["kind"] for entry in view["timeline"]] == ["contact.created"]
    assert await listed(tenant) == {account["id"], old["id"], new["id"]}
