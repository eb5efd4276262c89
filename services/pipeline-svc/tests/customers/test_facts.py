"""Facts: bounded, and what anybody would compute who saw every deal and order."""

import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

from crm_contracts.facts import MAX_DUE, MAX_OPEN, MAX_RECENT, MAX_TIMELINE, UNCOUNTED_ORDERS
from crm_contracts.ids import new_id
from crm_testkit.service import ServiceUnderTest, Tenant

STATUSES = ["draft", "pending", "paid", "shipped", "completed", "cancelled", "refunded"]


async def facts(tenant: Tenant, **scope: Any) -> dict[str, Any]:
    response = await tenant.client.post("/internal/facts", json=scope)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def everything(tenant: Tenant, resource: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await tenant.read(f"/v1/{resource}", limit="200", **cursor)
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def sums(values: list[dict[str, str] | None]) -> list[dict[str, str]]:
    by_currency: dict[str, Decimal] = defaultdict(Decimal)
    for value in values:
        if value is not None:
            by_currency[value["currency"]] += Decimal(value["amount"])
    return [{"amount": str(amount), "currency": currency} for currency, amount in sorted(by_currency.items())]


def newest(entities: list[dict[str, Any]], moment: Any, limit: int) -> list[dict[str, Any]]:
    # RFC 3339 texts sort as times only where both have a fraction: `Z` would come after a digit.
    return sorted(entities, key=lambda one: (moment(one).replace("Z", "").ljust(26, "0"), one["id"]), reverse=True)[
        :limit
    ]


def left_of(order: dict[str, Any]) -> dict[str, str]:
    back = sum((Decimal(each["amount"]["amount"]) for each in order["refunds"]), Decimal(0))
    return {**order["total"], "amount": str(max(Decimal(order["total"]["amount"]) - back, Decimal(0)))}


def is_given_back(order: dict[str, Any]) -> bool:
    return bool(order["refunds"]) and Decimal(left_of(order)["amount"]) == 0 < Decimal(
        order["refunded_total"]["amount"]
    )


def naive(
    deals: list[dict[str, Any]],
    orders: list[dict[str, Any]],
    invoices: list[dict[str, Any]],
    payments: list[dict[str, Any]],
) -> dict[str, Any]:
    counted = [one for one in orders if one["status"] not in UNCOUNTED_ORDERS and not is_given_back(one)]
    due = [one for one in invoices if one["status"] == "open"]
    placed = newest(orders, lambda order: order["placed_at"], MAX_TIMELINE)
    return {
        "open_deals": newest([d for d in deals if d["status"] == "open"], lambda d: d["created_at"], MAX_OPEN),
        "open_value": sums([deal["amount"] for deal in deals if deal["status"] == "open"]),
        "won_value": sums([deal["amount"] for deal in deals if deal["status"] == "won"]),
        "orders": {
            "count": len(counted),
            "total": sums([left_of(order) for order in counted]),
            "last_at": max((order["placed_at"] for order in counted), default=None),
            "recent": placed[:MAX_RECENT],
        },
        "deals": newest(deals, lambda deal: deal["stage_history"][-1]["entered_at"], MAX_TIMELINE),
        "orders_placed": placed,
        "orders_refunded": newest(
            [one for one in orders if one["refunds"]],
            lambda one: max(each["at"] for each in one["refunds"]),
            MAX_TIMELINE,
        ),
        "invoices_due": {
            "count": len(due),
            "overdue": sum(one["overdue"] for one in due),
            "total": sums([one["amount_due"] for one in due]),
            "next": sorted(due, key=lambda one: (one["due_at"] or "9999", one["id"]))[:MAX_DUE],
        },
        "invoices_issued": newest(
            [one for one in invoices if one["issued_at"]], lambda one: one["issued_at"], MAX_TIMELINE
        ),
        "payments_made": newest(payments, lambda one: one["paid_at"] or one["created_at"], MAX_TIMELINE),
    }


async def fill(tenant: Tenant, contacts: list[str], accounts: list[str]) -> None:
    chance = random.Random(7)
    await tenant.create("/v1/deals", name="first")
    [pipeline] = (await tenant.read("/v1/pipelines"))["data"]
    stages = [stage["id"] for stage in pipeline["stages"]]

    def about() -> dict[str, str]:
        named = {"contact_id": chance.choice(contacts), "account_id": chance.choice(accounts)}
        return {name: value for name, value in named.items() if chance.random() < 0.7}

    def money() -> dict[str, str]:
        places = chance.choice(["", ".5", ".25", ".00"])
        return {"amount": f"{chance.randrange(10_000)}{places}", "currency": chance.choice(["CNY", "USD", "JPY"])}

    deals = [
        {
            "name": f"d{number}",
            "stage_id": chance.choice(stages + stages[:1] * 20),
            **about(),
            **({"amount": money()} if chance.random() < 0.8 else {}),
        }
        for number in range(220)
    ]
    orders = [
        {
            "total": money(),
            "status": chance.choice(STATUSES),
            "placed_at": f"2026-0{chance.randrange(1, 4)}-01T08:00:00Z",
            **about(),
        }
        for _ in range(120)
    ]
    for order in chance.sample(orders, 50):
        total = order["total"]
        amounts = [total["amount"]] if chance.random() < 0.3 else [str(chance.randrange(5_000)) for _ in range(2)]
        order["refunds"] = [
            {"amount": {**total, "amount": amount}, "at": f"2026-0{chance.randrange(3, 9)}-01T08:00:00Z"}
            for amount in amounts
        ]
    invoices = [
        {
            "total": money(),
            "status": chance.choice(["draft", "open", "open", "void", "uncollectible"]),
            "due_at": chance.choice([None, "2025-01-31", "2999-12-31"]),
            **about(),
        }
        for _ in range(60)
    ]
    for resource, bodies in (("deals", deals), ("orders", orders), ("invoices", invoices)):
        operations = [{"method": "create", "data": body} for body in bodies]
        response = await tenant.client.post(f"/v1/{resource}/batch", json={"operations": operations})
        assert {result["status"] for result in response.json()["results"]} == {201}, response.text
    for invoice in chance.sample(await everything(tenant, "invoices"), 40):
        paid = {"invoice_id": invoice["id"], "amount": invoice["total"], **about()}
        if chance.random() < 0.5:
            paid["amount"] = money()
        await tenant.create("/v1/payments", **paid, status=chance.choice(["succeeded", "succeeded", "pending"]))
    for deal in chance.sample(await everything(tenant, "deals"), 40):
        await tenant.client.post(f"/v1/deals/{deal['id']}/move", json={"stage_id": chance.choice(stages)})


async def test_facts_are_what_a_naive_reader_computes(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contacts, accounts = [new_id("contact") for _ in range(3)], [new_id("account") for _ in range(2)]
    await fill(tenant, contacts, accounts)
    kinds = [await everything(tenant, name) for name in ("deals", "orders", "invoices", "payments")]
    assert {one["status"] for one in kinds[2]} == {"draft", "open", "paid", "void", "uncollectible"}
    scopes: list[dict[str, Any]] = [
        {"contact_ids": contacts[:1]},
        {"contact_ids": contacts},
        {"account_id": accounts[0], "contact_ids": []},
        {"account_id": accounts[1], "contact_ids": contacts[1:]},
        {"contact_ids": [new_id("contact")]},
        {},
    ]
    for scope in scopes:

        def within(entity: dict[str, Any], scope: dict[str, Any] = scope) -> bool:
            account = scope.get("account_id")
            named = entity["contact_id"] in scope.get("contact_ids", [])
            return named or (account is not None and entity["account_id"] == account)

        expected = naive(*([one for one in kind if within(one)] for kind in kinds))
        assert await facts(tenant, **scope) == expected

    whole = await facts(tenant, contact_ids=contacts, account_id=accounts[0])
    assert len(whole["open_deals"]) == MAX_OPEN
    assert len(whole["deals"]) == len(whole["orders_placed"]) == MAX_TIMELINE
    assert len(whole["orders_refunded"]) == len(whole["invoices_issued"]) == len(whole["payments_made"]) == MAX_TIMELINE
    assert len(whole["orders"]["recent"]) == MAX_RECENT
    stranger = await facts(service.tenant(), contact_ids=contacts, account_id=accounts[0])
    assert stranger == naive([], [], [], []), "another tenant has no facts of these"


async def test_a_sum_keeps_every_digit(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = new_id("contact")
    for amount in ("99999999999999.999999", "0.000001", "0.10"):
        await tenant.create("/v1/deals", name="d", contact_id=contact, amount={"amount": amount, "currency": "CNY"})
    found = await facts(tenant, contact_ids=[contact])
    assert found["open_value"] == [{"amount": "100000000000000.100000", "currency": "CNY"}]
