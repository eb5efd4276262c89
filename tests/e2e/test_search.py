"""One box for whatever somebody has: through the gateway, right after it was written, in every service."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from crm_testkit.jobs import ended
from crm_testkit.one_of_everything import CONTACTS, ORDERS, TICKETS, create
from crm_testkit.whole_stack import Relata


@pytest_asyncio.fixture
async def client(on_embedded: Relata) -> AsyncIterator[httpx.AsyncClient]:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Search")) as client:
        yield client


async def found(client: httpx.AsyncClient, q: str, **parameters: Any) -> list[str]:
    answer = await client.get("/v1/customers", params={"q": q, **parameters})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["data"]]


async def until_found(client: httpx.AsyncClient, q: str, ids: list[str]) -> None:
    async with asyncio.timeout(30):
        while await found(client, q) != ids:
            await asyncio.sleep(0.05)


async def test_who_writes_finds_it_at_once(client: httpx.AsyncClient) -> None:
    for name, q in (("欧阳晓梅", "ouyangxm"), ("Quentin Robertson", "Robretson"), ("司马光", "馬光")):
        contact = await create(client, CONTACTS, {"full_name": name}, {})
        assert await found(client, q) == [contact["id"]]
        changed = await client.patch(f"{CONTACTS}/{contact['id']}", json={"wechat": f"wx-{name}"})
        assert changed.status_code == 200, changed.text
        assert await found(client, f"wx-{name}") == [contact["id"]]
    account = await create(client, "/v1/accounts", {"name": "上海云帆科技有限公司"}, {})
    assert await found(client, "yunfan") == [account["id"]]


async def test_numbers_of_orders_and_tickets_lead_to_their_customer(client: httpx.AsyncClient) -> None:
    contact = await create(client, CONTACTS, {"full_name": "王芳", "phones": [{"number": "138 0013 8000"}]}, {})
    number = f"SO-{uuid.uuid4().hex[:8]}"
    body = {"number": number, "contact_id": contact["id"], "total": {"amount": "1.00", "currency": "CNY"}}
    await create(client, ORDERS, body, {})
    assert await found(client, number.lower()) == await found(client, number[2:7]) == [contact["id"]]
    ticket = await create(client, TICKETS, {"subject": "无法登录", "contact_id": contact["id"]}, {})
    assert await found(client, str(ticket["number"])) == [contact["id"]]
    assert await found(client, f"wangfang {number}") == await found(client, "0013-8000") == [contact["id"]]


async def test_merged_undone_archived_erased(client: httpx.AsyncClient) -> None:
    mark = uuid.uuid4().hex[:12]
    body = {"full_name": "欧阳晓梅", "emails": [{"address": f"{mark}@example.com"}]}
    left = await create(client, CONTACTS, {"full_name": "欧阳晓梅", "wechat": f"wx{mark}"}, {})
    gone = await create(client, CONTACTS, body, {})
    assert set(await found(client, "欧阳晓梅")) == {left["id"], gone["id"]}
    merged = await client.post(f"{CONTACTS}/{left['id']}/merge", json={"from": [gone["id"]]})
    assert merged.status_code == 201, merged.text
    await until_found(client, "欧阳晓梅", [left["id"]])
    await until_found(client, f"{mark}@example", [left["id"]])
    undone = await client.post(f"/v1/merges/{merged.json()['merge']['id']}/undo")
    assert undone.status_code == 200, undone.text
    await until_found(client, f"{mark}@example", [gone["id"]])
    assert await found(client, f"wx{mark}") == [left["id"]]

    archived = await client.post(f"{CONTACTS}/{gone['id']}/archive", json={})
    assert archived.status_code == 200, archived.text
    assert (await found(client, f"{mark}@"), await found(client, f"{mark}@", archived="true")) == ([], [gone["id"]])
    restored = await client.post(f"{CONTACTS}/{gone['id']}/restore", json={})
    assert restored.status_code == 200, restored.text
    assert await found(client, f"{mark}@") == [gone["id"]]

    request = await create(
        client, "/v1/privacy-requests", {"kind": "erasure", "contact_id": gone["id"], "reason": "x"}, {}
    )
    assert (await ended(client, f"/v1/privacy-requests/{request['id']}"))["status"] == "succeeded"
    assert await found(client, f"{mark}@", archived="include") == []
    assert (await client.delete(f"{CONTACTS}/{left['id']}")).status_code == 204
    await until_found(client, f"wx{mark}", [])
