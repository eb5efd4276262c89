"""Accounts: their domain and their hierarchy."""

import asyncio
from typing import Any

import pytest
from contacts_svc.features.accounts.rules import InvalidDomain, normalise_domain
from crm_testkit.service import ServiceUnderTest, Tenant
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Example.COM", "example.com"),
        ("https://www.example.com/about?x=1", "example.com"),
        ("www.example.com.", "example.com"),
        ("例子.中国", "xn--fsqu00a.xn--fiqs8s"),
        ("sub.example.co.uk", "sub.example.co.uk"),
    ],
)
def test_a_domain_is_its_host_name(value: str, expected: str) -> None:
    assert normalise_domain(value) == expected
    assert normalise_domain(expected) == expected


@pytest.mark.parametrize(
    "value", ["", "localhost", "-a.com", "a_b.com", "a..b", "x" * 64 + ".com", "a b.com", "http://"]
)
def test_what_is_no_domain_is_refused(value: str) -> None:
    with pytest.raises(InvalidDomain):
        normalise_domain(value)


@given(st.text(max_size=40))
def test_any_text_is_a_domain_or_refused(value: str) -> None:
    try:
        domain = normalise_domain(value)
    except InvalidDomain:
        return
    assert normalise_domain(domain) == domain


async def _account(tenant: Tenant, name: str, **members: Any) -> str:
    return str((await tenant.create("/v1/accounts", name=name, **members))["id"])


async def _move(tenant: Tenant, account: str, parent: str | None) -> tuple[int, str | None]:
    answer = await tenant.client.patch(f"/v1/accounts/{account}", json={"parent_id": parent})
    return answer.status_code, answer.json()["errors"][0]["code"] if answer.status_code == 422 else None


async def test_no_account_is_its_own_ancestor(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    top = await _account(tenant, "Top")
    middle = await _account(tenant, "Middle", parent_id=top)
    bottom = await _account(tenant, "Bottom", parent_id=middle)
    for account, parent in ((top, top), (top, middle), (top, bottom), (middle, bottom)):
        assert await _move(tenant, account, parent) == (422, "cycle")
    assert await _move(tenant, bottom, top) == (200, None)
    assert await _move(tenant, middle, bottom) == (200, None)
    assert await _move(tenant, middle, None) == (200, None)


async def test_a_parent_exists_in_the_same_tenant(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    account, foreign = await _account(tenant, "Ours"), await _account(service.tenant(), "Theirs")
    assert await _move(tenant, account, foreign) == (422, "not_found")
    assert await _move(tenant, account, "account_01jd3zq8w9e2vbx7k5m4n6p8qr") == (422, "not_found")


async def test_two_moves_at_once_close_no_circle(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    for attempt in range(8):
        one, two = await _account(tenant, f"One {attempt}"), await _account(tenant, f"Two {attempt}")
        outcomes = await asyncio.gather(_move(tenant, one, two), _move(tenant, two, one))
        assert sorted(outcomes) == [(200, None), (422, "cycle")]


async def test_upserts_by_domain_at_once_make_one_account(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    spellings = ("example.com", "https://www.Example.com/", "EXAMPLE.com")

    async def upsert(number: int) -> str:
        data = {"name": f"Name {number}", "domain": spellings[number % 3]}
        body = {"operations": [{"method": "upsert", "match": "domain", "data": data}]}
        [result] = (await tenant.client.post("/v1/accounts/batch", json=body)).json()["results"]
        return str(result["id"])

    assert len(set(await asyncio.gather(*(upsert(number) for number in range(10))))) == 1
