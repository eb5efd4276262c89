"""OAuth 2.0 client credentials: an API key buys a short token that is worth no more than the key."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from crm_kit.http.principal import AUDIENCE as SERVICES
from crm_kit.http.principal import ISSUER as INTERNAL
from crm_testkit.door import Door, Keyholder
from gateway.features.oauth.errors import TokenRefusal
from gateway.features.oauth.rules import read_form, read_request
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

TOKEN = "/oauth/token"
GRANT = {"grant_type": "client_credentials"}
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@pytest_asyncio.fixture
async def plain(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Its errors have RFC 6749's form, not ours."""
    async with httpx.AsyncClient(base_url=door.service.url) as client:
        yield client


@pytest_asyncio.fixture
async def key(tenant: Keyholder) -> dict[str, Any]:
    made = await tenant.client.post("/v1/api-keys", json={"name": "ERP", "scopes": ["read", "orders:write"]})
    return dict(made.json())


def credentials(key: dict[str, Any], **more: str) -> dict[str, str]:
    return {**GRANT, "client_id": key["id"], "client_secret": key["key"], **more}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{quote(user, safe='')}:{quote(password, safe='')}".encode()).decode()


async def test_a_token_is_given_and_works(door: Door, plain: httpx.AsyncClient, key: dict[str, Any]) -> None:
    answer = await plain.post(TOKEN, data=credentials(key))
    given_ = answer.json()
    assert answer.status_code == 200, answer.text
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert given_.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (given_["token_type"], given_["expires_in"], given_["scope"]) == ("Bearer", 600, "orders:write read")
    client = door.client(given_["access_token"])
    assert (await client.get("/v1/contacts")).status_code == 200
    assert (await client.post("/v1/orders", json={})).status_code == 200
    assert (await client.post("/v1/deals", json={})).json()["missing_permission"] == "deals:create"


async def test_a_token_for_a_key_with_roles_has_their_rights(
    door: Door, tenant: Keyholder, plain: httpx.AsyncClient
) -> None:
    body = {"name": "ERP", "scopes": ["read", "write"], "roles": ["sales"]}
    made = (await tenant.client.post("/v1/api-keys", json=body)).json()
    answer = (await plain.post(TOKEN, data=credentials(made, scope="read deals:write"))).json()
    assert answer["scope"] == "deals:write read"
    client = door.client(answer["access_token"])
    assert (await client.get("/v1/contacts")).status_code == 200
    assert (await client.post("/v1/deals", json={})).status_code == 200
    assert (await client.post("/v1/orders", json={})).json()["missing_permission"] == "orders:create"
    assert (await client.get("/v1/segments")).json()["missing_permission"] == "segments:read"


async def test_a_token_for_a_key_that_acts_for_a_user_acts_for_them_until_the_key_goes(
    door: Door, tenant: Keyholder, plain: httpx.AsyncClient
) -> None:
    person = {"name": "x", "email": "machine@example.com", "roles": ["sales"]}
    user_id = (await tenant.client.post("/v1/users", json=person)).json()["id"]
    body = {"name": "x", "scopes": ["read"], "user_id": user_id}
    made = (await tenant.client.post("/v1/api-keys", json=body)).json()
    token = (await plain.post(TOKEN, data=credentials(made))).json()["access_token"]
    for client in (door.client(token), door.client(made["key"])):
        assert (await client.get(f"/v1/users/{user_id}")).status_code == 200
    assert (await tenant.client.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
    for client in (door.client(token), door.client(made["key"])):
        assert (await client.get(f"/v1/users/{user_id}")).status_code == 401


async def test_the_token_is_what_the_metadata_say(plain: httpx.AsyncClient, key: dict[str, Any]) -> None:
    metadata = (await plain.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["token_endpoint"] == metadata["issuer"] + TOKEN
    keys = KeySet.import_key_set((await plain.get("/.well-known/jwks.json")).json())
    given_ = (await plain.post(TOKEN, data=credentials(key, scope="read"))).json()["access_token"]
    decoded = jwt.decode(given_, keys, algorithms=["Ed25519"])
    assert decoded.header["typ"] == "at+jwt"
    assert {name: decoded.claims[name] for name in ("iss", "aud", "sub", "client_id", "scope")} == {
        "iss": metadata["issuer"], "aud": "relata-api", "sub": key["id"], "client_id": key["id"], "scope": "read",
    }  # fmt: skip
    assert decoded.claims["exp"] - decoded.claims["iat"] == 600


async def test_by_basic_too(plain: httpx.AsyncClient, key: dict[str, Any]) -> None:
    for body in (GRANT, {**GRANT, "client_id": key["id"]}):
        answer = await plain.post(TOKEN, data=body, headers={"Authorization": basic(key["id"], key["key"])})
        assert answer.status_code == 200, answer.text


async def test_a_scope_narrows(door: Door, plain: httpx.AsyncClient, key: dict[str, Any]) -> None:
    given_ = (await plain.post(TOKEN, data=credentials(key, scope="contacts:read"))).json()
    assert given_["scope"] == "contacts:read"
    client = door.client(given_["access_token"])
    assert (await client.get("/v1/contacts")).status_code == 200
    assert (await client.get("/v1/deals")).json()["missing_permission"] == "deals:read"


REFUSED: list[tuple[dict[str, str], str | None, int, str]] = [
    ({"grant_type": ""}, None, 400, "invalid_request"),
    ({"grant_type": "password"}, None, 400, "unsupported_grant_type"),
    ({"scope": "write"}, None, 400, "invalid_scope"),
    ({"scope": "read deals:write"}, None, 400, "invalid_scope"),
    ({"scope": "read nonsense"}, None, 400, "invalid_scope"),
    ({"client_secret": "wrong"}, None, 401, "invalid_client"),
    ({"client_secret": ""}, None, 401, "invalid_client"),
    ({"client_id": "key_01jd3zq8w9e2vbx7k5m4n6p8qr"}, None, 401, "invalid_client"),
    ({"client_id": ""}, None, 401, "invalid_client"),
    ({}, "Bearer x", 400, "invalid_request"),
    ({"client_secret": ""}, "Bearer x", 401, "invalid_client"),
    ({"client_secret": ""}, "Basic !!!", 401, "invalid_client"),
    ({"client_secret": ""}, "Basic " + base64.b64encode(b"no colon").decode(), 401, "invalid_client"),
    ({"client_secret": ""}, basic("key_01jd3zq8w9e2vbx7k5m4n6p8qr", "x"), 400, "invalid_request"),
]


@pytest.mark.parametrize(("changed", "authorization", "status", "error"), REFUSED)
async def test_refusals_have_the_form_that_clients_know(
    plain: httpx.AsyncClient,
    key: dict[str, Any],
    changed: dict[str, str],
    authorization: str | None,
    status: int,
    error: str,
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = await plain.post(TOKEN, data=credentials(key) | changed, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) is (status == 401)
    assert key["key"] not in answer.text


async def test_other_bodies_are_refused(plain: httpx.AsyncClient, key: dict[str, Any]) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    twice = "grant_type=client_credentials&grant_type=client_credentials"
    for content, headers in (
        (json.dumps(credentials(key)), {"content-type": "application/json"}),
        (twice, form),
        ("", form),
        ("a=" + "b" * 9_000, form),
        ("grant_type=%ff", form),
        ("&".join(f"a{number}=b" for number in range(40)), form),
    ):
        answer = await plain.post(TOKEN, content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), content[:50]
    assert (await plain.get(TOKEN)).status_code == 405


async def test_revoking_the_key_ends_its_tokens(
    door: Door, tenant: Keyholder, plain: httpx.AsyncClient, key: dict[str, Any]
) -> None:
    given_ = (await plain.post(TOKEN, data=credentials(key))).json()["access_token"]
    client = door.client(given_)
    assert (await client.get("/v1/contacts")).status_code == 200
    # By a key that has all of its scopes: at once in this process.
    assert (await tenant.client.delete(f"/v1/api-keys/{key['id']}")).status_code == 204
    assert (await client.get("/v1/contacts")).status_code == 401
    assert (await plain.post(TOKEN, data=credentials(key))).status_code == 401


async def test_a_key_that_ends_ends_its_tokens(door: Door, tenant: Keyholder, plain: httpx.AsyncClient) -> None:
    made = (await tenant.client.post("/v1/api-keys", json={"name": "Old"})).json()
    given_ = (await plain.post(TOKEN, data=credentials(made))).json()["access_token"]
    rotated = await tenant.client.post(f"/v1/api-keys/{made['id']}/rotate", json={"overlap_seconds": 0})
    assert rotated.status_code == 201
    async with asyncio.timeout(8):
        while (await door.client(given_).get("/v1/contacts")).status_code == 200:
            await asyncio.sleep(0.2)


async def test_internal_tokens_and_public_ones_are_not_each_other(door: Door, key: dict[str, Any]) -> None:
    """They are signed by one key: what tells them apart is issuer and audience."""
    settings: Any = door.service.runtime.settings
    own = OKPKey.import_key(settings.signing_key().as_dict(private=True))
    now = int(time.time())
    usual = {"sub": key["id"], "scope": "read", "iat": now, "exp": now + 60}
    for claims in (
        {"iss": INTERNAL, "aud": SERVICES, "tenant": "tenant_01jd3zq8w9e2vbx7k5m4n6p8qr"},
        {"iss": INTERNAL, "aud": "relata-api"},
        {"iss": settings.issuer, "aud": SERVICES},
    ):
        header = {"alg": "Ed25519", "typ": "at+jwt", "kid": own.kid}
        token = jwt.encode(header, {**usual, **claims}, own, algorithms=["Ed25519"])
        assert (await door.client(token).get("/v1/contacts")).status_code == 401, claims
    header = {"alg": "Ed25519", "typ": "at+jwt", "kid": own.kid}
    good = jwt.encode(header, {**usual, "iss": settings.issuer, "aud": "relata-api"}, own, algorithms=["Ed25519"])
    assert (await door.client(good).get("/v1/contacts")).status_code == 200


@given(body=st.binary(max_size=200), authorization=st.none() | st.text(max_size=60))
def test_whatever_is_sent_is_read_or_refused(body: bytes, authorization: str | None) -> None:
    with suppress(TokenRefusal):  # and nothing else is raised
        asked = read_request(read_form(body), authorization)
        assert asked.client_id is not None


@given(user=TEXTS, password=TEXTS)
def test_what_basic_carries_comes_out_as_it_went_in(user: str, password: str) -> None:
    asked = read_request(GRANT, basic(user, password))
    assert (asked.client_id, asked.client_secret) == (user, password)
