"""A file leaves by the gateway, and whatever dies on the way each record is in it once."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from crm_testkit.importing import imported
from crm_testkit.jobs import ended
from crm_testkit.whole_stack import Relata
from python_calamine import CalamineWorkbook

ROWS = 4000


@pytest_asyncio.fixture(scope="module")
async def key(on_embedded: Relata) -> AsyncIterator[str]:
    key = await on_embedded.new_tenant_key("Exports")
    lines = (f"王{n},e{n}@example.com,第{n % 50}公司,E{n},{'x' * 400}" for n in range(ROWS))
    content = "\n".join(["姓名,邮箱,公司,external_ids.erp,职位", *lines]).encode()
    async with on_embedded.client_of(key) as client:
        await imported(client, content)
    yield key


@pytest_asyncio.fixture
async def client(on_embedded: Relata, key: str) -> AsyncIterator[httpx.AsyncClient]:
    async with on_embedded.client_of(key) as client:
        yield client


def _emails(content: bytes, format_: str) -> list[str]:
    if format_ == "ndjson":
        return [orjson.loads(line)["emails"][0]["address"] for line in content.splitlines()]
    if format_ == "csv":
        return [row["email"] for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))]
    header, *rows = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    return [str(row[header.index("email")]) for row in rows]


async def _job(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


@pytest.mark.parametrize("format_", ["csv", "ndjson", "xlsx"])
async def test_killed_in_the_middle_it_goes_on_and_holds_each_record_once(
    client: httpx.AsyncClient, on_embedded: Relata, format_: str
) -> None:
    answer = await client.post("/v1/exports", json={"resource": "contacts", "format": format_})
    assert answer.status_code == 201, answer.text
    started = answer.json()
    seen: list[int] = []
    for _ in range(2):
        async with asyncio.timeout(60):
            while (done := (await _job(client, started["job_id"]))["progress"]["done"]) <= max(seen, default=0):
                await asyncio.sleep(0.01)
        seen.append(done)
        await on_embedded.stack.restart("contacts")
    assert seen[0] < ROWS, "it was killed too late to tell anything"
    found = await ended(client, f"/v1/exports/{started['id']}")
    assert (found["status"], found["rows"]) == ("succeeded", ROWS), found
    async with client.stream("GET", found["file"]) as answer:
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) == found["size"]
        pieces = [piece async for piece in answer.aiter_raw()]
    content = b"".join(pieces)
    assert len(content) == found["size"]
    emails = _emails(content, format_)
    assert len(emails) == len(set(emails)) == ROWS
    assert set(emails) == {f"e{n}@example.com" for n in range(ROWS)}


async def test_its_job_is_followed_and_its_file_is_its_tenants(client: httpx.AsyncClient, on_embedded: Relata) -> None:
    asked = {"resource": "contacts", "columns": ["full_name", "account.name"], "filename": "客户"}
    started = (await client.post("/v1/exports", json=asked)).json()
    events: list[tuple[str, dict[str, Any]]] = []
    async with asyncio.timeout(60), client.stream("GET", f"/v1/jobs/{started['job_id']}/events") as stream:
        name = ""
        async for line in stream.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                events.append((name, orjson.loads(value)))
    assert events[-1][0] == "ended"
    assert events[-1][1]["progress"] == {"done": ROWS, "total": ROWS}
    answer = await client.get(f"/v1/exports/{started['id']}/file")
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%E5%AE%A2%E6%88%B7.csv")
    assert answer.text.splitlines()[1].endswith("公司")
    again = await client.get(f"/v1/exports/{started['id']}/file", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Another")) as stranger:
        assert (await stranger.get(f"/v1/exports/{started['id']}/file")).status_code == 404
    log = (await client.get("/v1/audit-log", params={"action": "exported"})).json()["data"]
    assert {entry["resource"] for entry in log} == {"contact", "export"}
    assert (await client.delete(f"/v1/exports/{started['id']}")).status_code == 204
    assert (await client.get(f"/v1/exports/{started['id']}/file")).status_code == 404
