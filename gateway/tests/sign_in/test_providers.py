"""Identity providers as a tenant writes them: what may be registered, by whom, and that no two share an audience."""

from typing import Any

import pytest
from crm_testkit.door import Door, Keyholder
from crm_testkit.issuer import Issuer

PROVIDERS = "/v1/identity-providers"


def body(**changed: object) -> dict[str, object]:
    return {"name": "Login", "issuer": "https://login.example.com", "audiences": ["crm"], **changed}


async def test_an_issuer_and_audience_are_one_tenants(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any
) -> None:
    await register()
    other = await door.tenant("Other")
    for holder in (tenant, other):
        wanted = body(issuer=issuer.url, audiences=["free", "relata-tests"])
        answer = await holder.client.post(PROVIDERS, json=wanted)
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["audience"]) == (409, "audience_taken", "relata-tests")
        assert tenant.id not in answer.text or holder is tenant
    made = await register(other, audiences=["free"])  # and what was refused has taken nothing
    answer = await other.client.patch(f"{PROVIDERS}/{made['id']}", json={"audiences": ["relata-tests"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "audience_taken")


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "http://login.example.com"},
        {"issuer": "https://user@login.example.com"},
        {"issuer": "https://login.example.com/?a=b"},
        {"issuer": "https://login.example.com/#a"},
        {"issuer": "https://login.example.com/{tenantid}/v2.0"},
        {"issuer": "https://login.example.com/ x"},
        {"issuer": "file:///etc/passwd"},
        {"issuer": "https://[::1"},
        {"issuer": "https://accounts.google.com"},
        {"issuer": "https://accounts.google.com/"},
        {"audiences": []},
        {"algorithms": ["none"]},
        {"algorithms": ["HS256"]},
        {"algorithms": []},
        {"token_types": ["logout+jwt"]},
        {"leeway_seconds": 61},
        {"leeway_seconds": -1},
        {"roles": [{"value": "x", "role": "no_such_role"}]},
        {"teams": [{"value": "x", "team_id": "team_01jd3zq8w9e2vbx7k5m4n6p8qr"}]},
        {"domains": ["exa mple.com"]},
    ],
)
async def test_what_cannot_be_registered(tenant: Keyholder, changed: dict[str, object]) -> None:
    answer = await tenant.client.post(PROVIDERS, json=body(**changed))
    assert answer.status_code == 422, answer.text


async def test_a_shared_issuer_with_a_claim_of_ones_own(tenant: Keyholder) -> None:
    google = body(issuer="https://accounts.google.com", required_claims={"hd": "example.com"}, audiences=["mine"])
    assert (await tenant.client.post(PROVIDERS, json=google)).status_code == 201


@pytest.mark.parametrize("scopes", [{"admin"}, {"admin", "read"}, {"admin", "write"}])
async def test_who_lacks_a_scope_gives_it_to_nobody(door: Door, tenant: Keyholder, scopes: set[str]) -> None:
    clerk = await door.key(tenant, *scopes)
    answer = await clerk.post(PROVIDERS, json=body())
    assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_scope_not_held")
    assert answer.json()["missing_permission"] in {"read", "write"} - scopes


async def test_another_issuer_knows_nobody_of_the_first(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any
) -> None:
    """The same subject there may be anybody."""
    provider = await register()
    token = issuer.token()
    assert (await door.client(token).get("/v1/contacts")).status_code == 200
    path = f"{PROVIDERS}/{provider['id']}"
    assert (await tenant.client.patch(path, json={"issuer": "https://elsewhere.example.com"})).status_code == 200
    assert (await tenant.client.patch(path, json={"issuer": issuer.url})).status_code == 200
    answer = await door.client(issuer.token(jti="again")).get("/v1/contacts")
    assert answer.status_code == 401  # unlinked: their address is somebody's already, and is not trusted


async def test_who_comes_later_to_an_issuer_gets_nobody_of_who_was_there(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any
) -> None:
    """Tokens often carry an audience beside ours, such as `account`: taking that one takes no people."""
    other = await door.tenant("Other")
    early = await register(other, audiences=["foo"])
    await register(audiences=["relata-tests"])
    path = f"{PROVIDERS}/{early['id']}"
    assert (await other.client.patch(path, json={"audiences": ["foo", "account"]})).status_code == 200
    token = issuer.token(aud=["account", "relata-tests"], azp="relata-tests")
    assert (await door.client(token).get("/v1/contacts")).status_code == 200
    assert len((await tenant.client.get("/v1/users")).json()["data"]) == 1
    assert (await other.client.get("/v1/users")).json()["data"] == []
