"""A file comes in by the gateway, and whatever dies on the way each of its rows is taken in once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest_asyncio
from crm_testkit.importing import act, counts, imported, rows_of, upload
from crm_testkit.jobs import ended
from crm_testkit.whole_stack import Relata

ROWS = 3000


def _file(rows: int, mark: str) -> bytes:
    lines = (f"王{n},{mark}{n}@example.com,第{n % 50}公司,E{mark}{n},{'x' * 400}" for n in range(rows))
    return "\n".join(["姓名,邮箱,公司,external_ids.erp,职位", *lines]).encode()


@pytest_asyncio.fixture
async def client(on_embedded: Relata) -> AsyncIterator[httpx.AsyncClient]:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Imports")) as client:
        yield client


async def _walk(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = (await client.get(path, params={"limit": "200"} | ({"cursor": cursor} if cursor else {}))).json()
        found += page["data"]
        if (cursor := page["next_cursor"]) is None:
            return found


async def _job(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def test_killed_in_the_middle_it_goes_on_and_takes_each_row_once(
    client: httpx.AsyncClient, on_embedded: Relata
) -> None:
    content = _file(ROWS, "k")
    assert len(content) > 1024 * 1024, "larger than any other body may be"
    answer = await upload(client, content)
    assert answer.status_code == 201, answer.text
    started = answer.json()
    seen = []
    for _ in range(3):
        async with asyncio.timeout(60):
            while (done := (await _job(client, started["job_id"]))["progress"]["done"]) <= max(seen, default=0):
                await asyncio.sleep(0.05)
        seen.append(done)
        await on_embedded.stack.restart("contacts")
    assert seen[0] < ROWS, "it was killed too late to tell anything"
    found = await ended(client, f"/v1/imports/{started['id']}")
    assert (found["status"], counts(found)) == ("succeeded", {"created": ROWS, "accounts_created": 50}), found
    contacts = await _walk(client, "/v1/contacts")
    assert len(contacts) == len({contact["emails"][0]["address"] for contact in contacts}) == ROWS
    assert {contact["version"] for contact in contacts} == {1}
    assert len(await _walk(client, "/v1/accounts")) == 50
    assert [row["row"] for row in await rows_of(client, started["id"]) if row["resource"] == "contacts"] == list(
        range(2, ROWS + 2)
    )


async def test_its_job_is_followed_and_its_customers_are_seen(client: httpx.AsyncClient) -> None:
    answer = await upload(client, _file(1200, "f"))
    started = answer.json()
    events: list[tuple[str, dict[str, Any]]] = []
    async with asyncio.timeout(60), client.stream("GET", f"/v1/jobs/{started['job_id']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in stream.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                events.append((name, orjson.loads(value)))
    assert events[-1][0] == "ended"
    last = events[-1][1]
    assert (last["status"], last["progress"], last["about"]["id"]) == (
        "succeeded",
        {"done": 1200, "total": 1200},
        started["id"],
    )
    versions = [job["version"] for _, job in events]
    assert versions == sorted(set(versions))
    listed = (await client.get("/v1/jobs", params={"about": started["id"]})).json()
    assert [job["id"] for job in listed["data"]] == [started["job_id"]]
    over = await client.post(f"/v1/jobs/{started['job_id']}/cancel")
    assert (over.status_code, over.json()["code"]) == (409, "job_over")
    row = (await rows_of(client, started["id"]))[-1]
    async with asyncio.timeout(60):
        while (view := await client.get(f"/v1/customers/{row['id']}")).status_code != 200:
            await asyncio.sleep(0.1)
    assert view.json()["account"]["name"].startswith("第")


async def test_what_is_cancelled_goes_on_where_it_stopped_and_is_taken_back(client: httpx.AsyncClient) -> None:
    started = (await upload(client, _file(2500, "c"))).json()
    async with asyncio.timeout(60):
        while (await _job(client, started["job_id"]))["progress"]["done"] == 0:
            await asyncio.sleep(0.05)
    cancelled = await client.post(f"/v1/jobs/{started['job_id']}/cancel")
    assert cancelled.json()["status"] == "cancelled", cancelled.text
    stopped = (await client.get(f"/v1/imports/{started['id']}")).json()
    taken = stopped["counts"]["created"]
    assert stopped["status"] == "cancelled"
    assert 0 < taken < 2500
    await asyncio.sleep(1.5)
    assert len(await _walk(client, "/v1/contacts")) == taken
    other = await client.post(f"/v1/imports/{started['id']}/run", json={"on_match": "skip"})
    assert (other.status_code, other.json()["code"]) == (409, "import_done")
    done = await act(client, started["id"], "run")
    assert counts(done)["created"] == 2500
    reverted = await act(client, started["id"], "revert")
    assert (reverted["status"], reverted["reverted"]["deleted"]) == ("reverted", 2550)
    assert await _walk(client, "/v1/contacts") == []


async def test_a_file_that_is_too_large_is_refused(client: httpx.AsyncClient, on_embedded: Relata) -> None:
    url = httpx.URL(on_embedded.gateway_url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        f"POST /v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['authorization']}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {10 * 1024**3}\r\n\r\n".encode()
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()
    await writer.wait_closed()
    elsewhere = await client.post("/v1/contacts", content=b"x" * (1024 * 1024 + 1))
    assert elsewhere.status_code == 413
    other = await on_embedded.new_tenant_key("Another")
    mine = await imported(client, b"name,email\nx,x@x.com\n")
    async with on_embedded.client_of(other) as stranger:
        for path in (f"/v1/imports/{mine['id']}", f"/v1/imports/{mine['id']}/rows.csv", f"/v1/jobs/{mine['job_id']}"):
            assert (await stranger.get(path)).status_code == 404
        for path in (f"/v1/imports/{mine['id']}/revert", f"/v1/jobs/{mine['job_id']}/cancel"):
            assert (await stranger.post(path)).status_code == 404
