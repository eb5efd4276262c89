"""A merge as all services live it: many references, killed processes, old ids, memberships, and where a customer is found."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from crm_testkit.whole_stack import Relata

_DEALS = 600


@pytest_asyncio.fixture
async def client(on_embedded: Relata) -> AsyncIterator[httpx.AsyncClient]:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Merges")) as client:
        yield client


async def _create(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _merged(client: httpx.AsyncClient, into: str, *others: str) -> dict[str, Any]:
    merge: dict[str, Any] = (await _create(client, f"/v1/contacts/{into}/merge", **{"from": others}))["merge"]
    return merge


async def _walk(client: httpx.AsyncClient, path: str, **params: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = (
            await client.get(path, params={"limit": "200", **params, **({"cursor": cursor} if cursor else {})})
        ).json()
        found += page["data"]
        if (cursor := page["next_cursor"]) is None:
            return found


async def _until_deals(client: httpx.AsyncClient, contact: str, number: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while len(found := await _walk(client, "/v1/deals", contact_id=contact)) != number:
            await asyncio.sleep(0.1)
    return found


async def test_all_references_move_once_whatever_dies_and_come_back(
    client: httpx.AsyncClient, on_embedded: Relata
) -> None:
    wei, again = [(await _create(client, "/v1/contacts", full_name="王伟"))["id"] for _ in range(2)]
    operations = [{"method": "create", "data": {"name": f"Deal {n}", "contact_id": again}} for n in range(_DEALS)]
    await _create(client, "/v1/deals/batch", operations=operations)
    own = await _create(client, "/v1/deals", name="Own", contact_id=wei)

    merge = await _merged(client, wei, again)
    for _ in range(2):
        await asyncio.sleep(0.4)
        await on_embedded.stack.restart("pipeline")

    moved = await _until_deals(client, wei, _DEALS + 1)
    assert {deal["version"] for deal in moved if deal["id"] != own["id"]} == {2}
    told = await _walk(client, f"/v1/moved-references/{merge['id']}")
    assert {each["id"] for each in told} == {deal["id"] for deal in moved} - {own["id"]}
    assert {(each["from_id"], each["to_id"]) for each in told} == {(again, wei)}

    late = await _create(client, "/v1/deals", name="Late", contact_id=again)
    assert late["contact_id"] == wei  # an id of before leads to the one that is left
    assert (await client.post(f"/v1/merges/{merge['id']}/undo")).status_code == 200
    await on_embedded.stack.restart("pipeline")

    returned = await _until_deals(client, again, _DEALS)
    assert {deal["version"] for deal in returned} == {3}
    assert {deal["id"] for deal in await _until_deals(client, wei, 2)} == {own["id"], late["id"]}
    assert await _walk(client, f"/v1/moved-references/{merge['id']}") == []


async def test_a_customer_is_found_by_its_old_id_and_by_all_it_was_known_by(client: httpx.AsyncClient) -> None:
    wei = await _create(client, "/v1/contacts", full_name="王伟", external_ids={"shop": "1"})
    again = await _create(
        client, "/v1/contacts", full_name="Wang Wei", external_ids={"shop": "2"}, emails=[{"address": "ww@example.com"}]
    )
    await _merged(client, wei["id"], again["id"])

    path = f"/v1/customers/{again['id']}"
    async with asyncio.timeout(20):
        while (answer := await client.get(path, params={"include": "profile"})).status_code != 307:
            await asyncio.sleep(0.05)
    assert answer.headers["location"] == f"/v1/customers/{wei['id']}?include=profile"
    assert answer.json() == {"merged_into": wei["id"]}
    assert (await client.get(path, params={"consistency": "live"})).status_code == 307
    followed = await client.get(path, follow_redirects=True)
    assert followed.json()["id"] == wei["id"]
    for query in ({"external_id": "shop:2"}, {"external_id": "shop:1"}, {"email": "ww@example.com"}):
        async with asyncio.timeout(20):
            while (found := await client.get("/v1/customers/lookup", params=query)).status_code != 200:
                await asyncio.sleep(0.05)
        assert found.json()["id"] == wei["id"], query
    gone = await client.get(f"/v1/contacts/{again['id']}", headers={"Accept-Language": "zh"})
    assert (gone.status_code, gone.json()["merged_into"]) == (410, wei["id"])
    assert "合并" in gone.json()["title"]


async def test_memberships_and_messages_of_tickets_follow(client: httpx.AsyncClient) -> None:
    wei, again = [(await _create(client, "/v1/contacts", full_name="王伟"))["id"] for _ in range(2)]
    both, one = [(await _create(client, "/v1/segments", name=name))["id"] for name in ("both", "one")]
    await _create(client, f"/v1/segments/{both}/members", contact_ids=[wei, again])
    await _create(client, f"/v1/segments/{one}/members", contact_ids=[again])
    ticket = await _create(
        client, "/v1/tickets", subject="登录", channel="email", contact_id=again, message={"body": "您好"}
    )

    async def view(contact: str) -> dict[str, Any]:
        answer = await client.get(f"/v1/customers/{contact}", params={"consistency": "live"})
        found: dict[str, Any] = answer.json()
        return found

    async def shows(contact: str, segments: set[str], tickets: set[str]) -> None:
        async with asyncio.timeout(30):
            while True:
                found = await view(contact)
                if "support" in found and (
                    {each["id"] for each in found["marketing"]["segments"]} == segments
                    and {each["id"] for each in found["support"]["open_tickets"]} == tickets
                    and any(entry["kind"] == "ticket.message" for entry in found["timeline"]) == bool(tickets)
                ):
                    return
                await asyncio.sleep(0.1)

    merge = await _merged(client, wei, again)
    await shows(wei, {both, one}, {ticket["id"]})
    await _create(client, f"/v1/tickets/{ticket['id']}/messages", body="已处理")
    assert (await client.post(f"/v1/merges/{merge['id']}/undo")).status_code == 200
    await shows(again, {both, one}, {ticket["id"]})
    await shows(wei, {both}, set())
