"""The gateway's fast path answers like the ordinary one, for whoever asks for whatever."""

import asyncio

import httpx
from crm_testkit.conformance.entities import told
from crm_testkit.whole_stack import Relata

_SLOWLY = {"Range": "bytes=0-"}
"""Nobody here heeds a Range; a request with one takes the ordinary path."""

_HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"If-None-Match": '"1"'},
    {"If-None-Match": '"2", W/"1"'},
    {"If-None-Match": "malformed"},
    {"Accept-Language": "zh-CN"},
    {"Origin": "https://shop.example.com"},
    {"Origin": "https://elsewhere.example.com"},
    {"Relata-Explain": "rights"},
    {"Authorization": "Bearer nobody's"},
)


async def _settled(client: httpx.AsyncClient, path: str) -> None:
    """Until this process no longer waits for what it has passed on."""
    versions: list[str] = []
    while len(versions) < 3 or len(set(versions[-3:])) > 1:
        answer = await client.get(path)
        versions.append(answer.headers.get("etag", str(len(versions))))


async def _allow(client: httpx.AsyncClient, origin: str) -> None:
    """Until the gateway has read it."""
    await client.post("/v1/allowed-origins", json={"name": "Shop", "origin": origin})
    async with asyncio.timeout(30):
        while (
            "access-control-allow-origin" not in (await client.get("/v1/contacts", headers={"Origin": origin})).headers
        ):
            pass


async def test_both_paths_tell_the_same(relata: Relata) -> None:
    client = relata.client
    await _allow(client, "https://shop.example.com")
    contact = (await client.post("/v1/contacts", json={"full_name": "欧阳晓梅"})).json()["id"]
    deal = (await client.post("/v1/deals", json={"name": "年度框架", "contact_id": contact})).json()["id"]
    limited = (await client.post("/v1/api-keys", json={"name": "Deals", "scopes": ["deals:read"]})).json()["key"]
    await _settled(client, f"/v1/customers/{contact}")
    nobody = "contact_01jd3zq8w9e2vbx7k5m4n6p8qr"
    paths = [f"/v1/customers/{contact}", f"/v1/contacts/{contact}", f"/v1/deals/{deal}"]
    paths += [
        f"/v1/customers/{nobody}",
        f"/v1/contacts/{nobody}",
        "/v1/customers/%00",
        "/v1/contacts/a%2Fb",
        "/v1/contacts/",
    ]
    async with relata.client_of(await relata.new_tenant_key()) as other, relata.client_of(limited) as narrow:
        for who in (client, other, narrow):
            for path in paths:
                for headers in _HEADERS:
                    fast = await who.get(path, headers=headers)
                    ordinary = await who.get(path, headers=headers | _SLOWLY)
                    assert told(fast) == told(ordinary), (path, headers)
