"""No spelling of a path reaches what lies outside `/v1`, sent as raw bytes: clients would tidy it up."""

import asyncio
from urllib.parse import urlsplit

import pytest
from crm_testkit.door import Door, Keyholder

TRICKS = [
    "/v1/../internal/facts",
    "/v1/contacts/../../internal/facts",
    "/v1/contacts/../internal/facts",
    "/v1/contacts/..",
    "/v1/contacts/.",
    "/v1/contacts/./x",
    "/v1/contacts//x",
    "/v1//contacts",
    "//v1/contacts",
    "/v1/contacts/",
    "/v1/contacts/%2e%2e/%2e%2e/internal/facts",
    "/v1/contacts/%2E%2E/internal",
    "/v1/contacts/.%2e/internal",
    "/v1/contacts/..%2f..%2finternal%2ffacts",
    "/v1/contacts/..%2F..%2Finternal",
    "/v1/contacts/..%5c..%5cinternal",
    "/v1/contacts/..\\..\\internal",
    "/v1/contacts/%00",
    "/v1/contacts/x%0d%0aX-Evil:%201",
    "/v1/contacts/%zz",
    "/v1/contacts/%",
    "/v1%2fcontacts",
    "/v1/%63ontacts",
    "/v1/contacts%2f..%2f..%2finternal",
    "/v1/contacts;/../../internal/facts",
    "/./v1/contacts",
    "/x/../v1/contacts",
    "/v1/contacts/..;/internal",
    "http://127.0.0.1/internal/facts",
    "http://evil.example/v1/../internal/facts",
    "/v1/contacts/%c0%ae%c0%ae/internal",
    "/v1/contacts/%252e%252e/internal",
]

# These are ordinary, if odd, ids: they go on as they are, and stay below their prefix.
HARMLESS = {"/v1/contacts/..;/internal", "/v1/contacts/%c0%ae%c0%ae/internal", "/v1/contacts/%252e%252e/internal"}


async def ask(door: Door, key: str, target: str, method: str = "POST") -> bytes:
    url = urlsplit(door.service.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        writer.write(head.encode("latin-1"))
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize("target", TRICKS)
async def test_a_path_trick_leads_nowhere(door: Door, tenant: Keyholder, target: str) -> None:
    for method in ("GET", "POST"):
        answer = await ask(door, tenant.key, target, method)
        asked = [asked.target for stand_in in door.behind.values() for asked in stand_in.asked]
        if target in HARMLESS:
            assert {path.lower() for path in asked} == {target}
        else:
            assert asked == []
            assert answer.split(b" ")[1] in (b"404", b"400"), answer
        assert not any("internal/facts" in path for path in asked)


async def test_an_absolute_target_is_read_for_its_path_alone(door: Door, tenant: Keyholder) -> None:
    await ask(door, tenant.key, "http://evil.example/v1/contacts?a=b", "GET")
    [asked] = door.behind["contacts"].asked
    assert asked.target == "/v1/contacts?a=b"
    assert asked.headers["host"] == urlsplit(door.behind["contacts"].url).netloc
