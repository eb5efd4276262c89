"""What requests leave in the audit log: every change, once, with who made it and from where; nothing of what failed."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from crm_kit.audit import entry, note_access, record
from crm_kit.db.provision import ServiceUrls
from crm_kit.errors import Conflict
from crm_kit.http.route import Reading, TransactionRoute, Writing, route_options
from crm_kit.manifest import Feature
from crm_testkit.service import ServiceUnderTest, Tenant, running_service
from crm_testkit.toy_service import toy_manifest
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

NOTES = "/v1/notes"
FROM = {"Relata-Client-Address": "203.0.113.9", "User-Agent": "Shop/2.1"}

router = APIRouter(prefix="/v1/secrets", tags=["secrets"], route_class=TransactionRoute)


@router.get("/{fails}")
async def read_secret(request: Request, fails: bool, _session: Reading) -> Response:
    note_access(request, "read", resource="note", entity_id="note_1", details={"fields": ["text"]})
    if fails:
        raise Conflict
    return JSONResponse({})


@router.post("/{fails}")
async def write_secret(request: Request, fails: bool, _session: Writing) -> Response:
    note_access(request, "exported", resource="note")
    if fails:
        raise Conflict
    return JSONResponse({})


@router.post("/open/{tenant_id}", openapi_extra=route_options(public=True))
async def open_to_all(request: Request, tenant_id: str) -> Response:
    async with request.app.state.database.write(tenant_id) as session:
        await record(session, [entry("note", "read")])
    return JSONResponse({})


@pytest_asyncio.fixture(scope="module")
async def service(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServiceUnderTest]:
    folder: Path = tmp_path_factory.mktemp("toy-audit")
    manifest = toy_manifest(Feature(router=router))
    async with running_service(manifest, postgres_database("toy"), event_log_database(), folder) as running:
        yield running


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


async def entries(tenant: Tenant, **wanted: Any) -> list[dict[str, Any]]:
    """Newest first."""
    found: list[dict[str, Any]] = (await tenant.read("/internal/audit-log", **wanted))["data"]
    return found


def _told(found: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [(one["action"], one["version"]) for one in reversed(found)]


async def test_every_change_is_told_with_what_it_was_before(tenant: Tenant) -> None:
    note = await tenant.create(NOTES, title="first", price={"amount": "1.00", "currency": "CNY"})
    at = f"{NOTES}/{note['id']}"
    patch = {"title": "second", "price": None}
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {**FROM, "X-Request-Id": "order-4711", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert (await tenant.client.patch(at, json=patch, headers=headers)).status_code == 200
    assert (await tenant.client.post(f"{at}/stamp")).status_code == 200
    assert (await tenant.client.delete(at)).status_code == 204
    found = await entries(tenant, entity_id=note["id"])
    assert _told(found) == [("created", 1), ("updated", 2), ("updated", 3), ("deleted", 4)]
    deleted, stamped, updated, created = found
    assert created["changes"]["title"] == {"after": "first"}
    assert "text" not in created["changes"]
    assert updated["changes"] == {
        "title": {"before": "first", "after": "second"},
        "price": {"before": {"amount": "1.00", "currency": "CNY"}, "after": None},
    }
    assert stamped["changes"] == {"count": {"before": 0, "after": 1}}
    assert deleted["changes"]["title"] == {"before": "second"}
    assert {one["resource"] for one in found} == {"note"}
    said = {name: updated[name] for name in ("actor", "via", "request_id", "trace_id", "address", "user_agent")}
    assert said == {
        "actor": "key_test",
        "via": "api_key",
        "request_id": "order-4711",
        "trace_id": trace,
        "address": "203.0.113.9",
        "user_agent": "Shop/2.1",
    }


async def test_nothing_is_told_of_what_did_not_happen(tenant: Tenant) -> None:
    note = await tenant.create(NOTES, title="a", mark="one")
    at = f"{NOTES}/{note['id']}"
    for answer in (
        await tenant.client.post(NOTES, json={"title": "b", "mark": "one"}),
        await tenant.client.patch(at, json={"title": "b"}, headers={"If-Match": '"9"'}),
        await tenant.client.patch(at, json={"nothing": 1}),
        await tenant.client.delete(f"{NOTES}/note_01jd3zq8w9e2vbx7k5m4n6p8qr"),
    ):
        assert answer.status_code >= 400
    assert (await tenant.client.patch(at, json={"title": "a"})).status_code == 200
    assert _told(await entries(tenant)) == [("created", 1)]


async def test_a_retry_is_told_once(tenant: Tenant) -> None:
    for _ in range(3):
        answer = await tenant.client.post(NOTES, json={"title": "a"}, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 201
    assert _told(await entries(tenant)) == [("created", 1)]


async def test_of_a_batch_each_row_is_told_that_came_to_be(tenant: Tenant) -> None:
    operations = [{"method": "create", "data": {"title": f"n{n}", "mark": f"m{n % 60}"}} for n in range(70)]
    results = (await tenant.client.post(f"{NOTES}/batch", json={"operations": operations})).json()["results"]
    made = {one["id"] for one in results if one["status"] == 201}
    assert len(made) == 60
    found = await entries(tenant, limit=100)
    assert {one["entity_id"] for one in found} == made
    assert len(found) == 60


async def test_what_is_stated_once_more_has_not_changed(tenant: Tenant) -> None:
    note = await tenant.create(NOTES, title="a")
    restated = await tenant.client.post("/internal/entities/restate", json={"ids": [note["id"]]})
    assert restated.json() == {"ids": [note["id"]]}
    assert _told(await entries(tenant)) == [("created", 1)]


async def test_a_read_is_told_before_it_is_answered(tenant: Tenant) -> None:
    assert (await tenant.client.get("/v1/secrets/false", headers=FROM)).status_code == 200
    [told] = await entries(tenant)
    assert (told["action"], told["resource"], told["entity_id"]) == ("read", "note", "note_1")
    assert told["changes"] == {"fields": {"after": ["text"]}}
    assert (told["actor"], told["address"]) == ("key_test", "203.0.113.9")
    assert (await tenant.client.get("/v1/secrets/true")).status_code == 409
    assert len(await entries(tenant)) == 1


async def test_an_export_that_writes_is_told_with_its_transaction(tenant: Tenant) -> None:
    assert (await tenant.client.post("/v1/secrets/true")).status_code == 409
    assert await entries(tenant) == []
    for _ in range(2):
        answer = await tenant.client.post("/v1/secrets/false", headers={"Idempotency-Key": "k"})
        assert answer.status_code == 200
    assert _told(await entries(tenant)) == [("exported", None)]


async def test_entries_are_found_by_what_they_say(service: ServiceUnderTest, tenant: Tenant) -> None:
    first, second = [await tenant.create(NOTES, title=title) for title in ("a", "b")]
    await tenant.client.delete(f"{NOTES}/{first['id']}")
    everything = await entries(tenant)
    assert [(one["entity_id"], one["action"]) for one in everything] == [
        (first["id"], "deleted"),
        (second["id"], "created"),
        (first["id"], "created"),
    ]
    middle = everything[1]
    for wanted, found in (
        ({"entity_id": first["id"]}, [0, 2]),
        ({"action": "created"}, [1, 2]),
        ({"action": "created", "entity_id": second["id"]}, [1]),
        ({"actor": "key_test"}, [0, 1, 2]),
        ({"actor": "key_other"}, []),
        ({"resource": "contact"}, []),
        ({"since": middle["at"]}, [0, 1]),
        ({"until": middle["at"]}, [2]),
        ({"before_at": middle["at"], "before_id": middle["id"]}, [2]),
        ({"limit": 2}, [0, 1]),
    ):
        assert [one["id"] for one in await entries(tenant, **wanted)] == [everything[n]["id"] for n in found], wanted
    assert await entries(service.tenant()) == []


@pytest.mark.parametrize(
    "wanted", [{"actor": ""}, {"since": "yesterday"}, {"limit": 1000}, {"before_id": "x"}, {"x": 1}]
)
async def test_what_cannot_be_asked_is_refused(tenant: Tenant, wanted: dict[str, Any]) -> None:
    assert (await tenant.client.get("/internal/audit-log", params=wanted)).status_code == 422


@pytest.mark.parametrize("scopes", [{"read", "write"}, {"notes:read"}])
async def test_plain_reading_does_not_open_the_log(service: ServiceUnderTest, scopes: set[str]) -> None:
    client = service.tenant(scopes=frozenset(scopes)).client
    answer = await client.get("/internal/audit-log")
    assert (answer.status_code, answer.json()["missing_permission"]) == (403, "audit-log:read")
    for enough in ({"audit-log:read"}, {"admin"}):
        opened = service.tenant(scopes=frozenset(enough)).client
        assert (await opened.get("/internal/audit-log")).status_code == 200


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("'; drop table audit_entry", None),
        ("10.0.0.1, 10.0.0.2", None),
        ("", None),
    ],
)
async def test_only_an_address_is_an_address(tenant: Tenant, address: str, told: str | None) -> None:
    headers = {"Relata-Client-Address": address, "User-Agent": "x" * 1000}
    await tenant.client.post(NOTES, json={"title": "a"}, headers=headers)
    [one] = await entries(tenant)
    assert (one["address"], one["user_agent"]) == (told, "x" * 300)


async def test_without_a_token_nobody_vouches_for_an_address(service: ServiceUnderTest, tenant: Tenant) -> None:
    answer = await service.anonymous().post(f"/v1/secrets/open/{tenant.id}", headers=FROM)
    assert answer.status_code == 200
    [one] = await entries(tenant)
    assert (one["actor"], one["via"], one["address"], one["user_agent"]) == ("anonymous", "public", None, None)
