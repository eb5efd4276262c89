"""A key sees of a customer what it may read, by whatever way it asks, and is told what is left out."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from crm_kit.db.models import utc_now
from crm_kit.http.principal import Principal
from crm_testkit.customer_world import moment, money, stay
from gateway.features.customers.redaction import redact
from gateway.features.customers.sight import sight_of
from hypothesis import given
from hypothesis import strategies as st

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""

MARKS = {
    "accounts": "杭州云帆",
    "contacts": "欧阳晓梅",
    "activities": "电话回访",
    "relationships": "采购负责人",
    "consents": "consent_source_mark",
    "deals": "年度框架",
    "orders": "SO-7781",
    "invoices": "INV-5512",
    "payments": "RF18-9931",
    "tickets": "无法登录",
    "messages": "秋季上新",
}
"""A text in what each resource holds, and nowhere else."""


@dataclass(frozen=True)
class Customers:
    tenant_id: str
    contact_id: str
    account_id: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customers(stack: Stack) -> Customers:
    tenant, world = stack.tenant()
    account = world.create("account", name=MARKS["accounts"])
    contact = world.create(
        "contact",
        full_name=MARKS["contacts"],
        emails=[{"address": "xiaomei@example.com", "primary": True, "verified": False}],
        account_id=account["id"],
    )
    whose = {"contact_id": contact["id"]}
    deal = {"name": MARKS["deals"], "amount": money("128000.00"), "stage_history": [stay("open", moment(3))]}
    world.create("deal", **deal, **whose)
    world.create("order", number=MARKS["orders"], total=money("1999.00"), placed_at=moment(-5), **whose)
    world.create("invoice", number=MARKS["invoices"], due_at="2026-10-31", overdue=True, **whose)
    world.create("payment", reference=MARKS["payments"], **whose)
    world.create("ticket", subject=MARKS["tickets"], **whose)
    world.create("consent", source=MARKS["consents"], **whose)
    world.create("activity", subject=MARKS["activities"], **whose)
    world.create("relationship", label=MARKS["relationships"], account_id=account["id"], **whose)
    world.create("message", status="sent", sent_at=moment(9), subject=MARKS["messages"], **whose)
    world.create("segment_member", **whose)
    await stack.publish(world)
    made = Customers(tenant.id, contact["id"], account["id"])
    async with asyncio.timeout(30):
        while not all([mark in await everything(stack, made, frozenset({"read"})) for mark in MARKS.values()]):
            await asyncio.sleep(0.05)
    return made


async def everything(stack: Stack, customers: Customers, scopes: frozenset[str]) -> str:
    """What a key with these scopes is told of the two customers, by every way there is."""
    client = stack.gateway.tenant(customers.tenant_id, scopes=scopes).client
    paths = ["/v1/customers", "/v1/customers?kind=contact", "/v1/customers?kind=account"]
    paths += ["/v1/customers/lookup?email=xiaomei@example.com"]
    for customer_id in (customers.contact_id, customers.account_id):
        one = f"/v1/customers/{customer_id}"
        paths += [one, f"{one}?consistency=live", f"{one}/timeline", f"{one}?include=sales,support,marketing,timeline"]
        paths += [
            f"{one}?fields=sales.orders.recent,sales.invoices_due,sales.open_deals,account,contacts,consents",
            f"{one}/timeline?kinds=deal",
        ]
    answers = [await client.get(path) for path in paths]
    assert all(answer.status_code in (200, 403, 404) for answer in answers), answers
    return "\n".join(answer.text for answer in answers if answer.status_code == 200)


@pytest.mark.parametrize("resource", MARKS)
async def test_what_a_key_may_not_read_is_in_no_answer(stack: Stack, customers: Customers, resource: str) -> None:
    others = frozenset({"customers:read", *(f"{one}:read" for one in MARKS if one != resource), "segments:read"})
    told = await everything(stack, customers, others)
    assert MARKS[resource] not in told
    # Consents are a person's own: an account's view has none.
    hidden = {resource, "consents"} if resource == "contacts" else {resource}
    assert not [one for one in MARKS if one not in hidden and MARKS[one] not in told]


@pytest.mark.parametrize("resource", MARKS)
async def test_what_a_key_may_read_alone_is_there(stack: Stack, customers: Customers, resource: str) -> None:
    seen = {"contacts", resource}
    told = await everything(stack, customers, frozenset({"customers:read", *(f"{one}:read" for one in seen)}))
    assert {one for one in MARKS if MARKS[one] in told} == seen


async def test_what_is_left_out_is_named(stack: Stack, customers: Customers) -> None:
    scopes = frozenset({"customers:read", "contacts:read", "orders:read", "segments:read"})
    client = stack.gateway.tenant(customers.tenant_id, scopes=scopes).client
    for query in ("", "?consistency=live"):
        view = (await client.get(f"/v1/customers/{customers.contact_id}{query}")).json()
        assert view["sales"].keys() == {"orders"}
        assert view["marketing"].keys() == {"segments"}
        assert {"account", "consents", "support", "scores"}.isdisjoint(view)
        assert {entry["kind"] for entry in view["timeline"]} == {"contact.created", "order.placed"}
        assert {"account", "consents", "support", "sales.open_deals", "timeline.deal"} <= set(view["redacted"])
    some = (await client.get(f"/v1/customers/{customers.contact_id}?include=sales,support")).json()
    assert some["sales"].keys() == {"orders"}
    assert "support" in some["redacted"]
    timeline = await client.get(f"/v1/customers/{customers.contact_id}/timeline?kinds=deal,order.placed")
    assert [entry["kind"] for entry in timeline.json()["data"]] == ["order.placed"]


async def test_who_may_read_everything_gets_the_stored_bytes(stack: Stack, customers: Customers) -> None:
    for scopes in (frozenset({"read"}), frozenset({"read", "orders:read", "write"})):
        client = stack.gateway.tenant(customers.tenant_id, scopes=scopes).client
        assert "redacted" not in (await client.get(f"/v1/customers/{customers.contact_id}")).json()


@pytest.mark.parametrize(
    ("scopes", "contact", "account"),
    [
        ({"customers:read"}, "contacts:read", "accounts:read"),
        ({"customers:read", "accounts:read"}, "contacts:read", None),
        ({"contacts:read", "accounts:read"}, "customers:read", "customers:read"),
    ],
)
async def test_a_kind_that_may_not_be_read_is_refused_whether_there_is_one_or_not(
    stack: Stack, customers: Customers, scopes: set[str], contact: str | None, account: str | None
) -> None:
    client = stack.gateway.tenant(customers.tenant_id, scopes=frozenset(scopes)).client
    for missing, ids in (
        (contact, [customers.contact_id, "contact_01jd3zq8w9e2vbx7k5m4n6p8qr"]),
        (account, [customers.account_id]),
    ):
        for path in [f"/v1/customers/{one}{more}" for one in ids for more in ("", "/timeline", "?include=sales")]:
            answer = await client.get(path)
            assert (answer.json().get("missing_permission") if missing else answer.status_code) == (missing or 200), (
                path
            )


def _members(view: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    for name, value in view.items():
        yield name, None
        if isinstance(value, dict):
            yield from ((name, inner) for inner in value)


@given(
    st.dictionaries(st.text(min_size=1, max_size=12), st.integers() | st.dictionaries(st.text(max_size=5), st.none())),
    st.sets(st.sampled_from([f"{one}:read" for one in MARKS])),
)
def test_a_section_that_nothing_here_knows_is_for_those_who_may_read_everything(
    unknown: dict[str, Any], scopes: set[str]
) -> None:
    sight = sight_of(
        Principal("key_x", "tenant_x", scopes=frozenset({"customers:read", "contacts:read", *scopes})),
        "contact",
        utc_now(),
    )
    assert sight is not None
    known = {
        "id": "contact_x",
        "kind": "contact",
        "profile": {},
        "sales": {"orders": {}, "forecast": 1},
        "timeline": [{"kind": "quote.sent", "ref": {"id": "quote_x"}}],
    }
    seen = redact(sight, {**{f"new_{name}": value for name, value in unknown.items()}, **known})
    assert seen is not None
    assert not [name for name, _ in _members(seen) if name.startswith("new_")]
    assert {f"new_{name}" for name in unknown} <= set(seen["redacted"])
    assert "forecast" not in seen.get("sales", {})
    assert seen["timeline"] == []


def test_a_view_that_was_stored_before_there_were_invoices_is_shown_without_them() -> None:
    scopes = frozenset({"customers:read", "contacts:read", "orders:read", "invoices:read"})
    sight = sight_of(Principal("key_x", "tenant_x", scopes=scopes), "contact", utc_now())
    assert sight is not None
    old = {"id": "contact_x", "kind": "contact", "profile": {}, "sales": {"orders": {"count": 1}, "invoices_due": []}}
    seen = redact(sight, old)
    assert seen is not None
    assert (seen["sales"], seen["redacted"]) == ({"orders": {"count": 1}}, ["sales.invoices_due"])
    new = {**old, "sales": {"invoices_due": {"count": 0, "overdue": 0, "total": None, "next": []}}}
    seen = redact(sight, new)
    assert seen is not None
    assert seen["sales"] == new["sales"]
