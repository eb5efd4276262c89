"""Relationships in the views of all whom they are between; dates that come due while processes die."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio
from crm_testkit.whole_stack import Relata

_BORN_TODAY = 700


@pytest_asyncio.fixture
async def client(on_embedded: Relata) -> AsyncIterator[httpx.AsyncClient]:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Relationships")) as client:
        yield client


async def _create(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.is_success, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _until_shown(client: httpx.AsyncClient, customer_id: str, *expected: dict[str, Any]) -> None:
    """In the view that events keep, and in the one composed at once."""
    for consistency in ({}, {"consistency": "live"}):
        async with asyncio.timeout(20):
            while True:
                params = {"include": "relationships", **consistency}
                view = await client.get(f"/v1/customers/{customer_id}", params=params)
                shown = view.json().get("relationships")
                if shown is not None and {each["id"] for each in shown} == {each["id"] for each in expected}:
                    break
                await asyncio.sleep(0.05)


async def test_a_relationship_is_in_the_views_of_both_its_ends(client: httpx.AsyncClient) -> None:
    wei, again, na = [
        (await _create(client, "/v1/contacts", full_name=name))["id"] for name in ("王伟", "W. W.", "李娜")
    ]
    acme = (await _create(client, "/v1/accounts", name="Acme"))["id"]
    role = await _create(client, "/v1/relationships", contact_id=again, account_id=acme, label="buyer")
    friends = await _create(client, "/v1/relationships", contact_id=na, related_contact_id=again, label="friend")
    await _until_shown(client, again, role, friends)
    await _until_shown(client, na, friends)
    await _until_shown(client, acme, role)

    merged = await _create(client, f"/v1/contacts/{wei}/merge", **{"from": [again]})
    for customer, expected in ((wei, [role, friends]), (na, [friends]), (acme, [role])):
        await _until_shown(client, customer, *expected)
    assert (await client.get(f"/v1/relationships/{friends['id']}")).json()["related_contact_id"] == wei

    await _create(client, f"/v1/merges/{merged['merge']['id']}/undo")
    await _until_shown(client, wei)
    await _until_shown(client, again, role, friends)
    assert (await client.delete(f"/v1/accounts/{acme}")).status_code == 204
    await _until_shown(client, again, friends)


async def test_each_date_is_told_of_once_whatever_dies(client: httpx.AsyncClient, on_embedded: Relata) -> None:
    today = datetime.now(UTC).date().isoformat()
    born = [{"method": "create", "data": {"full_name": f"P {n}", "birthday": today}} for n in range(_BORN_TODAY)]
    made = await _create(client, "/v1/contacts/batch", operations=born)
    body = {"name": "生日", "field": "birthday", "at": "00:00", "time_zone": "UTC"}
    await _create(client, "/v1/date-reminders", **body)
    for _ in range(3):
        await asyncio.sleep(0.3)
        await on_embedded.stack.restart("contacts")
    told: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while len(told) < _BORN_TODAY:
            told, cursor = [], ""
            while cursor is not None:
                params = {"limit": "200", **({"cursor": cursor} if cursor else {})}
                page = (await client.get("/v1/date-occurrences", params=params)).json()
                told += page["data"]
                cursor = page["next_cursor"]
    assert sorted(each["contact_id"] for each in told) == sorted(each["id"] for each in made["results"])
    assert {each["version"] for each in told} == {1}
