"""One request, one transaction, one answer: also when it is cancelled, when the database is gone, when nobody listens."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest
from crm_kit.db.embedded import EmbeddedPostgres
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.toy_service import NOTE
from crm_testkit.toy_service.fixtures import Parts


async def _disconnecting(toy: ServiceUnderTest, tenant: Tenant, body: bytes, after: float) -> None:
    """Sends a request and hangs up without waiting for its answer."""
    parts = urlsplit(toy.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = (
        f"POST /v1/notes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        f"authorization: {tenant.client.headers['authorization']}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    await asyncio.sleep(after)
    writer.transport.abort()


async def test_clients_that_hang_up_leave_whole_notes_or_none_and_the_pool_intact(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    bodies = [json.dumps({"title": f"Note {n}", "tags": ["whole"]}).encode() for n in range(60)]
    await asyncio.gather(*(_disconnecting(toy, tenant, body, n % 7 * 0.004) for n, body in enumerate(bodies)))
    answers = await asyncio.gather(*(tenant.client.get("/v1/notes", params={"limit": 200}) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200}
    ids = {row["id"] for row in (await tenant.read("/v1/notes", limit=200))["data"]}

    async def published() -> set[str]:
        events = await toy.events(NOTE.name, at_least=0)
        return {event.subject for event in events if event.tenant_id == tenant.id}

    async with asyncio.timeout(10):
        while await published() != ids:
            ids = {row["id"] for row in (await tenant.read("/v1/notes", limit=200))["data"]}


async def test_half_a_body_is_no_request(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    parts = urlsplit(toy.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = (
        "POST /v1/notes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n"
        f"authorization: {tenant.client.headers['authorization']}\r\n\r\n"
    )
    writer.write(head.encode() + b'{"title": "half"}')
    await writer.drain()
    writer.close()
    await asyncio.sleep(0.1)
    assert (await tenant.read("/v1/notes"))["data"] == []


async def test_connections_that_the_database_kills_are_replaced(
    toy: ServiceUnderTest, postgres_server: EmbeddedPostgres
) -> None:
    tenant = toy.tenant()
    await asyncio.gather(*(tenant.client.get("/v1/notes") for _ in range(20)))
    parts = Parts(toy.urls, toy.runtime.database, toy.runtime.system)
    assert await parts.terminate(postgres_server.superuser_url(), "app") >= 2
    await asyncio.sleep(0.2)  # until the driver has heard of it
    for _ in range(20):
        await tenant.read("/v1/notes")
    assert await parts.terminate(postgres_server.superuser_url(), "app") >= 1
    seen = []
    for _ in range(12):
        answer = await tenant.client.post("/v1/notes", json={"title": "after"})
        seen.append(answer.status_code)
        if answer.status_code == 503:
            assert answer.headers["retry-after"] == "1"
    assert set(seen) <= {201, 503}
    assert seen[-1] == 201
    assert len((await tenant.read("/v1/notes"))["data"]) == seen.count(201)
    assert (await toy.anonymous().get("/readyz")).status_code == 200


async def test_a_retry_after_a_lost_answer_finds_the_first_one(toy: ServiceUnderTest) -> None:
    """The client hung up before its answer came: its key gives it the answer of the one effect."""
    tenant = toy.tenant()
    parts = urlsplit(toy.url)
    body = json.dumps({"title": "paid once"}).encode()
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = (
        f"POST /v1/notes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        f"authorization: {tenant.client.headers['authorization']}\r\nidempotency-key: pay\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    async with asyncio.timeout(10):
        while not (await tenant.read("/v1/notes"))["data"]:
            await asyncio.sleep(0.01)
    writer.transport.abort()
    again = await tenant.client.post(
        "/v1/notes", content=body, headers={"content-type": "application/json", "idempotency-key": "pay"}
    )
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert [row["id"] for row in (await tenant.read("/v1/notes"))["data"]] == [again.json()["id"]]


async def test_an_action_is_a_write_with_its_own_permission(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    note = await tenant.create("/v1/notes", title="a")
    path = f"/v1/notes/{note['id']}/stamp"
    writer = toy.tenant(tenant.id, scopes=frozenset({"read", "write"}))
    refused = await writer.client.post(path)
    assert (refused.status_code, refused.json()["missing_permission"]) == (403, "admin")
    assert (await tenant.client.post(path, headers={"If-Match": '"2"'})).status_code == 412
    first, again = [await tenant.client.post(path, headers={"Idempotency-Key": "stamp"}) for _ in range(2)]
    assert (first.json()["count"], first.headers["etag"], first.headers["consistency-token"]) == (
        1,
        '"2"',
        f"{note['id']}@2",
    )
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert (await tenant.read(f"/v1/notes/{note['id']}"))["count"] == 1


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh", "zh-CN"),
        ("zh-TW;q=0.3, en;q=0.2", "zh-CN"),
        ("en, zh", "en"),
        ("zh;q=0", "en"),
        ("*", "en"),
        ("de;q=1, zh;q=abc, zh;q=0.1", "zh-CN"),
        (",,;;q=", "en"),
        ("ZH-hans-cn", "zh-CN"),
    ],
)
async def test_the_language_is_the_one_that_the_reader_prefers(
    toy: ServiceUnderTest, accepted: str, language: str
) -> None:
    answer = await toy.tenant().client.get("/v1/nothing", headers={"Accept-Language": accepted})
    assert answer.headers["content-language"] == language
