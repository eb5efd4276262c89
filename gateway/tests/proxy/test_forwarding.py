"""What reaches a service, and what comes back from it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from crm_kit.http.principal import TokenVerifier
from crm_testkit.door import Door, Keyholder
from crm_testkit.stand_in import Reply
from fastapi import Request
from joserfc.jwk import KeySet


async def principal_of(door: Door, authorization: str) -> Any:
    """As a service would verify it, with the published keys."""
    jwks = (await door.client().get("/.well-known/jwks.json")).json()
    scope = {"type": "http", "headers": [(b"authorization", authorization.encode())]}
    return await TokenVerifier(KeySet.import_key_set(jwks)).authenticate(Request(scope))


async def test_a_request_arrives_as_it_was_sent_under_an_internal_token(door: Door, tenant: Keyholder) -> None:
    body = '{"full_name": "欧阳晓梅",  "tags": []}'.encode()
    contacts = door.behind["contacts"]
    contacts.reset(
        lambda _: Reply(201, {"content-type": "application/json", "etag": '"1"', "x-secret": "no"}, b'{"a":1}')
    )
    response = await tenant.client.post(
        "/v1/contacts?tag=%E4%BD%A0&q=a%2Bb+c&flag",
        content=body,
        headers={
            "Content-Type": "application/json; charset=utf-8",
            "Accept-Language": "zh-CN",
            "Idempotency-Key": '"k-1"',
            "If-Match": '"3"',
            "If-None-Match": '"4"',
            "X-Request-Id": "req-from-client",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "X-Forwarded-For": "10.1.2.3",
            "X-Forwarded-Host": "evil.example",
            "Forwarded": "for=10.1.2.3",
            "Cookie": "session=1",
            "X-Tenant-Id": "tenant_other",
            "Connection": "keep-alive, X-Hop",
            "X-Hop": "1",
            "TE": "trailers",
        },
    )
    [asked] = contacts.asked
    assert (asked.method, asked.target) == ("POST", "/v1/contacts?tag=%E4%BD%A0&q=a%2Bb+c&flag")
    assert asked.body == body
    sent = asked.headers
    principal = await principal_of(door, sent.pop("authorization"))
    assert (principal.tenant_id, principal.region) == (tenant.id, "CN")
    assert principal.scopes == {"read", "write", "admin"}
    assert principal.subject.startswith("key_")
    trace = sent.pop("traceparent").split("-")
    assert trace[1] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert trace[2] == response.headers["traceparent"].split("-")[2]
    assert sent.pop("relata-client-address") == "127.0.0.1"  # the connection's, not what the client claims
    for name in ("host", "user-agent", "accept", "content-length", "accept-encoding"):
        sent.pop(name, None)
    assert sent == {
        "content-type": "application/json; charset=utf-8",
        "accept-language": "zh-CN",
        "idempotency-key": '"k-1"',
        "if-match": '"3"',
        "if-none-match": '"4"',
        "x-request-id": "req-from-client",
    }
    assert (response.status_code, response.content, response.headers["etag"]) == (201, b'{"a":1}', '"1"')
    assert response.headers["x-request-id"] == "req-from-client"
    assert "x-secret" not in response.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def test_every_method_is_passed_on(door: Door, tenant: Keyholder, method: str) -> None:
    assert (await tenant.client.request(method, "/v1/tickets/x")).status_code == 200
    assert door.behind["tickets"].last.method == method


async def test_other_methods_are_refused_here(door: Door, tenant: Keyholder) -> None:
    response = await tenant.client.request("OPTIONS", "/v1/tickets")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in response.headers["allow"]
    assert not door.behind["tickets"].asked


ANSWERS = {
    "content-type": "application/problem+json",
    "etag": '"7"',
    "location": "/v1/deals/x",
    "link": '</v1/deals?cursor=x>; rel="next"',
    "consistency-token": "deal_x@7",
    "idempotent-replayed": "true",
    "retry-after": "3",
    "content-language": "zh-CN",
    "vary": "Accept-Language",
    "allow": "GET",
    "accept-patch": "application/merge-patch+json",
}


@pytest.mark.parametrize("status", [200, 201, 400, 403, 404, 409, 410, 412, 422, 500, 503])
async def test_status_body_and_headers_come_back(door: Door, tenant: Keyholder, status: int) -> None:
    door.behind["pipeline"].reset(lambda _: Reply(status, {**ANSWERS, "server": "x", "set-cookie": "a=b"}, b'{"z": 1}'))
    tenant.client.event_hooks = {}  # the stand-in's problem lacks what ours have
    response = await tenant.client.get("/v1/deals/x")
    assert (response.status_code, response.content) == (status, b'{"z": 1}')
    assert {name: response.headers[name] for name in ANSWERS} == ANSWERS
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body(door: Door, tenant: Keyholder, status: int) -> None:
    door.behind["pipeline"].reset(lambda _: Reply(status, {"etag": '"7"'}, b""))
    response = await tenant.client.get("/v1/deals/x")
    assert (response.status_code, response.content, response.headers["etag"]) == (status, b"", '"7"')


async def test_a_large_answer_is_streamed_whole(door: Door, tenant: Keyholder) -> None:
    body = json.dumps({"data": ["x" * 1000] * 5000}).encode()
    door.behind["contacts"].reset(lambda _: Reply(body=body))
    assert (await tenant.client.get("/v1/contacts")).content == body


async def test_a_body_over_the_limit_is_413_and_goes_nowhere(door: Door, tenant: Keyholder) -> None:

    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 1024

    response = await tenant.client.post("/v1/contacts", content=chunks(1025))
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert not door.behind["contacts"].asked
    assert (await tenant.client.post("/v1/contacts", content=chunks(1024))).status_code == 200
    assert len(door.behind["contacts"].last.body) == 1024 * 1024


async def test_public_operations_pass_without_a_credential(door: Door, tenant: Keyholder) -> None:
    campaigns = door.behind["campaigns"]
    campaigns.reset(lambda _: Reply(200, {"content-type": "text/html; charset=utf-8"}, b"<p>ok</p>"))
    for client in (door.client(), door.client("wrong"), tenant.client):
        for method in ("GET", "POST"):
            response = await client.request(method, "/v1/unsubscribe/a.b-c_d")
            assert (response.status_code, response.text) == (200, "<p>ok</p>")
            assert campaigns.last.target == "/v1/unsubscribe/a.b-c_d"
            assert "authorization" not in campaigns.last.headers
    assert (await door.client().get("/v1/unsubscribe")).status_code == 401


async def test_unknown_prefixes_are_404(door: Door, tenant: Keyholder) -> None:
    for path in ("/v1/nowhere", "/v1/", "/v1", "/v2/contacts", "/internal/facts", "/v1/internal/facts", "/contacts"):
        for method in ("GET", "POST"):
            response = await tenant.client.request(method, path)
            assert (response.status_code, response.json()["code"]) == (404, "not_found"), path
    assert not any(stand_in.asked for stand_in in door.behind.values())


async def test_the_gateways_own_paths_keep_their_own_methods(door: Door, tenant: Keyholder) -> None:
    response = await tenant.client.put("/v1/tenants", json={})
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


async def test_tokens_differ_by_tenant(door: Door, tenant: Keyholder) -> None:
    other = await door.tenant("Other", region="DE")
    await tenant.client.get("/v1/contacts")
    await other.client.get("/v1/contacts")
    first, second = [
        await principal_of(door, asked.headers["authorization"]) for asked in door.behind["contacts"].asked
    ]
    assert (first.tenant_id, second.tenant_id, second.region) == (tenant.id, other.id, "DE")


async def test_cancelled_requests_under_contention_leave_the_proxy_working(door: Door, tenant: Keyholder) -> None:
    """httpx's own pool answered 0 of 10 after this (httpcore issue 1093)."""
    door.behind["contacts"].reset(lambda _: Reply(after=0.3))
    for _ in range(5):
        tasks = [asyncio.create_task(tenant.client.get("/v1/contacts")) for _ in range(150)]
        await asyncio.sleep(0.15)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    door.behind["contacts"].reset()
    await asyncio.sleep(0.5)
    answers = [await tenant.client.get("/v1/contacts") for _ in range(10)]
    assert [answer.status_code for answer in answers] == [httpx.codes.OK] * 10


async def test_what_follows_from_an_event_of_ours_is_passed_on_with_a_hop_more(door: Door, tenant: Keyholder) -> None:
    contacts = door.behind["contacts"]
    contacts.reset(lambda _: Reply(201, {"content-type": "application/json"}, b"{}"))
    chain = {"Relata-Correlation-Id": "abc", "Relata-Causation-Id": "event_1", "Relata-Hops": "3"}
    answer = await tenant.client.post("/v1/contacts", json={"full_name": "王伟"}, headers=chain)
    assert answer.status_code == 201
    [asked] = contacts.asked
    sent = {name: asked.headers.get(name.lower()) for name in chain}
    assert sent == {**chain, "Relata-Hops": "4"}


async def test_a_loop_between_two_systems_ends(door: Door, tenant: Keyholder) -> None:
    contacts = door.behind["contacts"]
    contacts.reset(lambda _: Reply(200, {"content-type": "application/json"}, b"{}"))
    chain = {"Relata-Correlation-Id": "abc", "Relata-Causation-Id": "event_1", "Relata-Hops": "8"}
    for method in ("POST", "PATCH", "DELETE"):
        answer = await tenant.client.request(method, "/v1/contacts", json={}, headers=chain)
        assert answer.status_code == 409
        problem = answer.json()
        assert (problem["code"], problem["hops"], problem["correlation_id"]) == ("loop_detected", 9, "abc")
    assert not contacts.asked
    assert (await tenant.client.get("/v1/contacts", headers=chain)).status_code == 200
