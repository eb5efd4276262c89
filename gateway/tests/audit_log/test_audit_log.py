"""The audit log of all services and of the gateway in one place: merged, filtered, exported; closed to plain readers."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from crm_contracts.ids import AuditEntryId, new_id
from crm_testkit.door import BEHIND, Door, Keyholder
from crm_testkit.stand_in import Asked, Reply, StandIn

LOG = "/v1/audit-log"
Json = dict[str, Any]


def _entry(service: str, at: str, **members: Any) -> Json:
    return {
        "id": AuditEntryId.new(),
        "service": service,
        "at": at,
        "actor": "key_1",
        "via": "api_key",
        "request_id": "req-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "address": "203.0.113.9",
        "user_agent": None,
        "resource": "contact",
        "entity_id": "contact_1",
        "version": 1,
        "action": "created",
        "changes": {"full_name": {"after": "王小明"}},
        "seal": None,
        **members,
    }


class Service:
    """A stand-in that has entries."""

    def __init__(self, stand_in: StandIn, *entries: Json) -> None:
        self.entries = sorted(entries, key=lambda entry: (entry["at"], entry["id"]), reverse=True)
        self.asked: list[Json] = []
        self.fails_after = 10**9
        stand_in.reset(self.answer)

    def answer(self, asked: Asked) -> Reply:
        url = urlsplit(asked.target)
        assert url.path == "/internal/audit-log"
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.asked.append(query)
        if len(self.asked) > self.fails_after:
            return Reply(503, {"content-type": "text/plain"}, b"no")
        after = (query.get("before_at", "9"), query.get("before_id", "z"))
        found = [one for one in self.entries if (one["at"], one["id"]) < after]
        found = [one for one in found if one["resource"] == query.get("resource", one["resource"])]
        return Reply(body=orjson.dumps({"data": found[: int(query["limit"])]}))


def _nobody_has_any(door: Door) -> None:
    for name in BEHIND:
        Service(door.behind[name])


async def _own(tenant: Keyholder, **params: Any) -> list[Json]:
    answer = await tenant.client.get(LOG, params={"service": "gateway", **params})
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["data"]
    return found


async def test_a_tenants_first_hour_is_told(door: Door, tenant: Keyholder) -> None:
    """Keys and origins publish no events, and are told of all the same."""
    made = (await tenant.client.post("/v1/api-keys", json={"name": "Shop", "scopes": ["read"]})).json()
    rotated = (await tenant.client.post(f"/v1/api-keys/{made['id']}/rotate", json={"overlap_seconds": 60})).json()
    assert (await tenant.client.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
    site = {"name": "Site", "origin": "https://shop.example.com"}
    origin = (await tenant.client.post("/v1/allowed-origins", json=site)).json()
    assert (await tenant.client.delete(f"/v1/allowed-origins/{origin['id']}")).status_code == 204
    await door.admin.patch(f"/v1/tenants/{tenant.id}", json={"name": "East Lake"})

    told = [(one["resource"], one["entity_id"], one["action"], one["version"]) for one in await _own(tenant)][::-1]
    [first_key] = [one[1] for one in told[1:2]]
    assert told == [
        ("tenant", tenant.id, "created", 1),
        ("api_key", first_key, "created", 1),
        ("api_key", made["id"], "created", 1),
        ("api_key", rotated["id"], "created", 1),
        ("api_key", made["id"], "rotated", 2),
        ("api_key", made["id"], "deleted", 3),
        ("allowed_origin", origin["id"], "created", 1),
        ("allowed_origin", origin["id"], "deleted", 2),
        ("tenant", tenant.id, "updated", 2),
    ]
    entries = await _own(tenant)
    assert {(one["actor"], one["via"]) for one in entries if one["resource"] == "tenant"} == {
        ("admin", "administrator")
    }
    assert {(one["actor"], one["via"]) for one in entries[1:-2]} == {(first_key, "api_key")}
    assert {one["address"] for one in entries} == {"127.0.0.1"}
    assert {one["service"] for one in entries} == {"gateway"}
    assert entries[0]["changes"] == {"name": {"before": "West Lake", "after": "East Lake"}}
    text = orjson.dumps(entries).decode()
    for secret in (tenant.key, made["key"], rotated["key"]):
        assert secret not in text
        assert secret.removeprefix("relata_").partition("_")[2] not in text


async def test_entries_are_sealed_within_seconds(tenant: Keyholder) -> None:
    async with asyncio.timeout(10):
        while any(one["seal"] is None for one in await _own(tenant)):
            await asyncio.sleep(0.1)
    second, first = await _own(tenant)
    assert (first["seal"]["sequence"], second["seal"]["sequence"]) == (1, 2)
    assert first["seal"]["previous_hash"] == "0" * 64
    assert second["seal"]["previous_hash"] == first["seal"]["hash"]


async def test_what_all_services_tell_is_one_list_newest_first(door: Door, tenant: Keyholder) -> None:
    _nobody_has_any(door)
    own = await _own(tenant)
    theirs = [
        _entry("contacts", "2026-10-01T08:00:00.000001Z"),
        _entry("tickets", "2026-10-01T08:00:00.000002Z"),
        _entry("contacts", "2026-10-01T08:00:00.000003Z"),
        _entry("campaigns", "2026-10-01T08:00:00.000003Z"),
    ]
    contacts = Service(door.behind["contacts"], theirs[0], theirs[2])
    Service(door.behind["tickets"], theirs[1])
    Service(door.behind["campaigns"], theirs[3])
    expected = sorted([*own, *theirs], key=lambda one: (one["at"], one["id"]), reverse=True)
    answer = await tenant.client.get(LOG)
    assert answer.json() == {"data": expected, "next_cursor": None}

    walked, cursor = [], None
    while True:
        params = {"limit": 2, "resource": "contact"} | ({"cursor": cursor} if cursor else {})
        page = (await tenant.client.get(LOG, params=params)).json()
        walked += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert walked == [one for one in expected if one["service"] != "gateway"]
    assert contacts.asked[-1]["resource"] == "contact"
    assert (await tenant.client.get(LOG, params={"cursor": "x"})).status_code == 400
    first = (await tenant.client.get(LOG, params={"limit": 1})).json()["next_cursor"]
    assert (await tenant.client.get(LOG, params={"cursor": first, "action": "created"})).status_code == 400


async def test_filters_go_to_everybody(door: Door, tenant: Keyholder) -> None:
    _nobody_has_any(door)
    contacts = Service(door.behind["contacts"])
    wanted = {
        "actor": "key_1", "resource": "contact", "entity_id": "contact_1", "action": "updated",
        "since": "2026-10-01T00:00:00Z", "until": "2026-10-02T00:00:00Z",
    }  # fmt: skip
    assert (await tenant.client.get(LOG, params=wanted)).json()["data"] == []
    assert contacts.asked == [{**wanted, "limit": "51"}]
    assert [one["action"] for one in await _own(tenant, resource="tenant")] == ["created"]
    assert await _own(tenant, until="2026-01-01T00:00:00Z") == []


async def test_who_does_not_answer_is_named(door: Door, tenant: Keyholder) -> None:
    _nobody_has_any(door)
    door.behind["tickets"].reset(lambda _: Reply(500, {"content-type": "text/plain"}, b"no"))
    door.behind["pipeline"].reset(lambda _: Reply(body=b'{"data": [{"id": "audit_1"}]}'))
    page = (await tenant.client.get(LOG)).json()
    assert page["degraded"] == ["pipeline", "tickets"]
    assert len(page["data"]) == 2
    refused = await tenant.client.get(f"{LOG}/export")
    assert (refused.status_code, refused.json()["service"]) == (503, "pipeline")
    assert [one["action"] for one in await _own(tenant)] == ["created", "created"], "nothing left the house"


async def _export(client: httpx.AsyncClient, **params: Any) -> list[Json]:
    answer = await client.get(f"{LOG}/export", params=params)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return [orjson.loads(line) for line in answer.text.splitlines()]


async def test_an_export_is_whole_and_is_told_itself(door: Door, tenant: Keyholder) -> None:
    _nobody_has_any(door)
    theirs = [_entry("contacts", f"2026-10-01T08:00:00.{n:06}Z") for n in range(1, 451)]
    Service(door.behind["contacts"], *theirs)
    exported = await _export(tenant.client, resource="contact")
    assert exported == theirs[::-1]
    assert await _export(tenant.client, resource="deal") == []
    plain = await tenant.client.get(f"{LOG}/export", params={"resource": "deal"}, headers={"Accept": "text/plain"})
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    _, second, first = (await _own(tenant))[:3]
    assert (first["action"], first["resource"], first["changes"]) == (
        "exported", "audit_entry", {"resource": {"after": "contact"}},
    )  # fmt: skip
    assert second["changes"] == {"resource": {"after": "deal"}}


async def test_an_export_that_cannot_be_whole_breaks_off(door: Door, tenant: Keyholder) -> None:
    _nobody_has_any(door)
    contacts = Service(
        door.behind["contacts"], *(_entry("contacts", f"2026-10-01T08:00:00.{n:06}Z") for n in range(1, 451))
    )
    contacts.fails_after = 1
    with pytest.raises(httpx.ReadError):
        await tenant.client.get(f"{LOG}/export", params={"resource": "contact"})


async def test_plain_reading_does_not_open_the_log(door: Door, tenant: Keyholder) -> None:
    _nobody_has_any(door)
    for path in (LOG, f"{LOG}/export"):
        reader = await door.key(tenant, "read", "write", "users:read")
        refused = await reader.get(path)
        assert (refused.status_code, refused.json()["missing_permission"]) == (403, "audit-log:read")
        auditor = await door.key(tenant, "audit-log:read")
        assert (await auditor.get(path)).status_code == 200
    clerk = await door.key(tenant, "read", "write")
    assert (await clerk.post("/v1/api-keys", json={"name": "x", "scopes": ["audit-log:read"]})).status_code == 403
    assert (await door.admin.get(LOG)).status_code == 403


async def test_a_stranger_sees_nothing_of_it(door: Door, tenant: Keyholder) -> None:
    _nobody_has_any(door)
    stranger = await door.tenant("Elsewhere")
    ours = {one["id"] for one in await _own(tenant)}
    assert ours.isdisjoint({one["id"] for one in await _own(stranger)})
    assert await _own(stranger, entity_id=tenant.id) == []


async def test_nobody_writes_the_log_over_http(tenant: Keyholder) -> None:
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        assert (await tenant.client.request(method, LOG, json={})).status_code in (404, 405)
        assert (await tenant.client.request(method, f"{LOG}/{new_id('audit')}", json={})).status_code in (404, 405)
    assert (await tenant.client.get("/internal/audit-log")).status_code == 404
