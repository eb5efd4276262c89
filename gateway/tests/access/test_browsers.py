"""A browser may call from the origins that its tenant allows, and is told how to treat what it gets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from crm_testkit.door import Door, Keyholder
from gateway.access.origins import PATTERN, normalise
from hypothesis import given
from hypothesis import strategies as st

ALLOWED = "access-control-allow-origin"
PORTAL = "https://portal.example.com"
SAFE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


async def allow(tenant: Keyholder, origin: str) -> dict[str, Any]:
    response = await tenant.client.post("/v1/allowed-origins", json={"name": "门户", "origin": origin})
    assert response.status_code == 201, response.text
    return dict(response.json())


async def _too_much() -> AsyncIterator[bytes]:
    for _ in range(40):
        yield b"x" * 50_000


async def preflight(door: Door, origin: str, method: str = "PATCH", headers: str = "authorization") -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    answer = await door.client().options("/v1/contacts/x", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    return answer


def passes(answer: httpx.Response) -> bool:
    return ALLOWED in answer.headers


async def until_preflights(door: Door, origin: str, *, pass_: bool = True) -> httpx.Response:
    """Every process learns within seconds what was allowed in another."""
    async with asyncio.timeout(15):
        while passes(answer := await preflight(door, origin)) != pass_:
            await asyncio.sleep(0.1)
    return answer


async def test_a_browser_of_an_allowed_origin_may_call_and_read(door: Door, tenant: Keyholder) -> None:
    origin = "https://one.example.com"
    assert not passes(await preflight(door, origin))
    made = await allow(tenant, origin)
    answer = await until_preflights(door, origin)
    assert answer.headers[ALLOWED] == origin
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    for header in ("Authorization", "Idempotency-Key", "If-Match", "Consistency-Token", "Content-Type"):
        assert header in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers, "a cookie must never count"

    read = await tenant.client.get("/v1/contacts", headers={"Origin": origin})
    assert (read.status_code, read.headers[ALLOWED]) == (200, origin)
    assert "Origin" in read.headers["vary"]
    for header in ("ETag", "Consistency-Token", "Location", "Link", "RateLimit", "Retry-After"):
        assert header in read.headers["access-control-expose-headers"]

    assert (await tenant.client.delete(f"/v1/allowed-origins/{made['id']}")).status_code == 204
    await until_preflights(door, origin, pass_=False)
    assert ALLOWED not in (await tenant.client.get("/v1/contacts", headers={"Origin": origin})).headers


async def test_what_another_tenant_allows_opens_nothing_of_mine(door: Door, tenant: Keyholder) -> None:
    other, origin = await door.tenant("Other"), "https://other.example.com"
    await allow(other, origin)
    await until_preflights(door, origin)
    asked = {"Origin": origin}
    assert ALLOWED in (await other.client.get("/v1/contacts", headers=asked)).headers
    for path in ("/v1/contacts", "/v1/customers", "/v1/api-keys", "/v1/customers/contact_01jd3zq8w9e2vbx7k5m4n6p8qr"):
        answer = await tenant.client.get(path, headers=asked)
        assert ALLOWED not in answer.headers, path
        assert "Origin" in answer.headers["vary"]


async def test_refusals_can_be_read_too(door: Door, tenant: Keyholder) -> None:
    origin = "https://refused.example.com"
    await allow(tenant, origin)
    await until_preflights(door, origin)
    wrong = await door.client("relata_x").get("/v1/contacts", headers={"Origin": origin})
    reader = await door.key(tenant, "contacts:read")
    missing = await reader.get("/v1/deals", headers={"Origin": origin})
    large = await tenant.client.post("/v1/contacts", content=_too_much(), headers={"Origin": origin})
    for answer, status in ((wrong, 401), (missing, 403), (large, 413)):
        assert (answer.status_code, answer.headers.get(ALLOWED)) == (status, origin)


async def test_a_method_or_header_that_no_operation_takes_is_refused(door: Door, tenant: Keyholder) -> None:
    origin = "https://strict.example.com"
    await allow(tenant, origin)
    await until_preflights(door, origin)
    assert not passes(await preflight(door, origin, "TRACE"))
    assert not passes(await preflight(door, origin, headers="authorization, x-made-up"))


async def test_every_answer_tells_browsers_to_be_careful(door: Door, tenant: Keyholder) -> None:
    answers = [
        await tenant.client.get("/v1/contacts"),
        await tenant.client.get("/v1/nothing-here"),
        await tenant.client.get("/v1/customers"),
        await door.client().get("/v1/contacts"),
        await tenant.client.post("/v1/contacts", content=_too_much()),
    ]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in SAFE} == SAFE, answer.request.url
    page = await door.client().get("/docs")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"


async def test_the_documents_are_open_to_every_site(door: Door) -> None:
    for path in ("/openapi.json", "/asyncapi.json"):
        answer = await door.client().get(path, headers={"Origin": "https://anywhere.example.com"})
        assert (answer.status_code, answer.headers[ALLOWED]) == (200, "*")


NO_ORIGINS = """* null example.com https://*.example.com https://a.example.com/ https://a.example.com/x ftp://a https://-a
https://[::1] https://user@a.example.com https://a.example.com: javascript:alert(1) https://""".split()


@pytest.mark.parametrize("origin", [*NO_ORIGINS, "", "https://a.example.com\n"])
async def test_what_is_no_origin_is_refused(tenant: Keyholder, origin: str) -> None:
    answer = await tenant.client.post("/v1/allowed-origins", json={"name": "x", "origin": origin})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/origin")


async def test_an_origin_is_kept_as_browsers_spell_it_and_once(tenant: Keyholder) -> None:
    assert (await allow(tenant, "HTTPS://Shop.Example.com:443"))["origin"] == "https://shop.example.com"
    again = await tenant.client.post("/v1/allowed-origins", json={"name": "x", "origin": "https://shop.example.com"})
    assert (again.status_code, again.json()["code"]) == (409, "origin_taken")
    for number in range(49):
        await allow(tenant, f"http://localhost:{3000 + number}")
    full = await tenant.client.post("/v1/allowed-origins", json={"name": "x", "origin": PORTAL})
    assert (full.status_code, full.json()["code"]) == (409, "too_many_origins")


@given(st.from_regex(PATTERN, fullmatch=True))
def test_a_spelling_stays_what_it_is(origin: str) -> None:
    spelled = normalise(origin.strip("\n"))
    assert normalise(spelled) == spelled == spelled.lower()
