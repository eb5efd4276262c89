"""A bulk change by the gateway: whatever dies on the way each record is changed once, and told once."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from crm_testkit.importing import imported
from crm_testkit.jobs import ended
from crm_testkit.whole_stack import Relata

ROWS = 2000
PATH = "/v1/bulk-changes"


@pytest_asyncio.fixture(scope="module")
async def client(on_embedded: Relata) -> AsyncIterator[httpx.AsyncClient]:
    key = await on_embedded.new_tenant_key("Bulk")
    content = "\n".join(["姓名,来源", *(f"王{n},fair" for n in range(ROWS))]).encode()
    async with on_embedded.client_of(key) as client:
        await imported(client, content)
        yield client


async def versions(client: httpx.AsyncClient) -> list[int]:
    found: list[int] = []
    params = {"limit": "200"}
    while True:
        page = (await client.get("/v1/contacts", params=params)).json()
        found += [each["version"] for each in page["data"]]
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]


async def test_killed_in_the_middle_it_goes_on_and_changes_each_once(
    client: httpx.AsyncClient, on_embedded: Relata
) -> None:
    body = {"resource": "contacts", "where": {"field": "source", "op": "eq", "value": "fair"}}
    answer = await client.post(PATH, json={**body, "action": "tag", "add_tags": ["2026"]})
    assert answer.status_code == 201, answer.text
    started = answer.json()
    seen: list[int] = []
    for _ in range(2):
        async with asyncio.timeout(60):
            while True:
                job = (await client.get(f"/v1/jobs/{started['job_id']}")).json()
                if job["progress"]["done"] > max(seen, default=0):
                    break
                await asyncio.sleep(0.01)
        seen.append(job["progress"]["done"])
        await on_embedded.stack.restart("contacts")
    assert seen[0] < ROWS, "it was killed too late to tell anything"
    found = await ended(client, f"{PATH}/{started['id']}")
    assert (found["status"], found["changed"], found["unchanged"]) == ("succeeded", ROWS, 0), found
    assert await versions(client) == [2] * ROWS


async def test_it_is_followed_and_cancelled_as_any_job(client: httpx.AsyncClient, on_embedded: Relata) -> None:
    body = {"resource": "contacts", "where": {"field": "tag", "op": "eq", "value": "2026"}, "action": "delete"}
    preview = (await client.post(f"{PATH}/preview", json=body)).json()
    assert preview["found"] == {"count": ROWS, "kind": "exact"}
    started = (await client.post(PATH, json=body)).json()
    assert (await client.post(f"/v1/jobs/{started['job_id']}/cancel", json={})).status_code == 200
    found = await ended(client, f"{PATH}/{started['id']}")
    assert found["status"] == "cancelled"
    assert len(await versions(client)) == ROWS - found["changed"]
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Another")) as stranger:
        assert (await stranger.get(f"{PATH}/{started['id']}")).status_code == 404
        assert (await stranger.get(f"{PATH}/{started['id']}/failures")).status_code == 404
