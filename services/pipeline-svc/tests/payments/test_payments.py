"""Payments through the public door, and what they make of invoices."""

import asyncio
import random
from decimal import Decimal
from typing import Any

import pytest
from crm_contracts.ids import UserId, new_id
from crm_kit.rights import Rights
from crm_kit.rights.grants import Grant
from crm_testkit.service import ServiceUnderTest, Tenant


def cny(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


async def an_invoice(tenant: Tenant, total: str = "100.00", **more: Any) -> dict[str, Any]:
    return await tenant.create("/v1/invoices", total=cny(total), **more)


async def state_of(tenant: Tenant, invoice: dict[str, Any]) -> tuple[str, str, str]:
    now = await tenant.read(f"/v1/invoices/{invoice['id']}")
    return now["status"], now["amount_paid"]["amount"], now["amount_due"]["amount"]


async def pay(tenant: Tenant, invoice: dict[str, Any], amount: str, **more: Any) -> dict[str, Any]:
    return await tenant.create("/v1/payments", invoice_id=invoice["id"], amount=cny(amount), **more)


async def test_an_invoice_is_paid_when_its_payments_reach_its_total(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    invoice = await an_invoice(tenant)
    assert (invoice["status"], invoice["amount_due"], invoice["amount_paid"]) == ("open", cny("100.00"), cny("0.00"))
    first = await pay(tenant, invoice, "60")
    assert await state_of(tenant, invoice) == ("open", "60.00", "40.00")
    await pay(tenant, invoice, "50", status="pending")
    assert await state_of(tenant, invoice) == ("open", "60.00", "40.00")
    last = await pay(tenant, invoice, "40.00", method="wechat_pay", reference="RF18")
    assert await state_of(tenant, invoice) == ("paid", "100.00", "0.00")
    assert [event.action for event in await service.events("crm.pipeline.invoice", key=invoice["id"])] == [
        "created",
        "updated",
        "paid",
    ]
    assert last["paid_at"] is not None
    # And back: a refund, a payment that fails after all, one that is deleted.
    back = await pay(tenant, invoice, "0.01", kind="refund")
    assert await state_of(tenant, invoice) == ("open", "99.99", "0.01")
    assert (await tenant.client.delete(f"/v1/payments/{back['id']}")).status_code == 204
    assert await state_of(tenant, invoice) == ("paid", "100.00", "0.00")
    await tenant.client.patch(f"/v1/payments/{first['id']}", json={"status": "failed"})
    assert await state_of(tenant, invoice) == ("open", "40.00", "60.00")
    await tenant.client.patch(f"/v1/payments/{first['id']}", json={"status": "succeeded", "amount": cny("75")})
    assert await state_of(tenant, invoice) == ("paid", "115.00", "0.00")


async def test_a_payment_that_moves_leaves_one_invoice_and_pays_the_other(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    one, other = await an_invoice(tenant), await an_invoice(tenant)
    payment = await pay(tenant, one, "100")
    await tenant.client.patch(f"/v1/payments/{payment['id']}", json={"invoice_id": other["id"]})
    assert [(await state_of(tenant, each))[0] for each in (one, other)] == ["open", "paid"]
    await tenant.client.patch(f"/v1/payments/{payment['id']}", json={"invoice_id": None})
    assert [(await state_of(tenant, each))[0] for each in (one, other)] == ["open", "open"]


async def test_what_is_not_open_is_its_writers(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    for status, due in (("draft", "0.00"), ("void", "0.00"), ("uncollectible", "0.00"), ("paid", "0.00")):
        invoice = await an_invoice(tenant, status=status)
        await pay(tenant, invoice, "100")
        assert await state_of(tenant, invoice) == (status, "100.00", due)
    path = f"/v1/invoices/{invoice['id']}"
    # Written as paid without payments: owed is nothing, and a refund does not open it again.
    await pay(tenant, invoice, "50", kind="refund")
    assert await state_of(tenant, invoice) == ("paid", "50.00", "0.00")
    assert (await tenant.client.patch(path, json={"status": "open"})).json()["amount_due"] == cny("50.00")
    assert (await tenant.client.patch(path, json={"total": cny("50.00")})).json()["status"] == "paid"


async def test_who_writes_back_what_they_read_says_nothing_of_the_state(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    invoice = await an_invoice(tenant, source="erp", external_id="1")
    payment = await pay(tenant, invoice, "100")
    data = {"source": "erp", "external_id": "1", "total": cny("100.00"), "status": "paid", "tags": ["seen"]}
    operation = {"method": "upsert", "match": "external_id", "data": data}
    answer = await tenant.client.post("/v1/invoices/batch", json={"operations": [operation]})
    assert answer.json()["results"][0]["status"] == 200
    await tenant.client.delete(f"/v1/payments/{payment['id']}")
    assert await state_of(tenant, invoice) == ("open", "0.00", "100.00")


async def test_another_currency_pays_nothing_until_the_invoice_is_in_it(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    invoice = await an_invoice(tenant)
    euros = {"amount": "100", "currency": "EUR"}
    await tenant.create("/v1/payments", invoice_id=invoice["id"], amount=euros)
    assert await state_of(tenant, invoice) == ("open", "0.00", "100.00")
    await tenant.client.patch(f"/v1/invoices/{invoice['id']}", json={"total": euros})
    assert await state_of(tenant, invoice) == ("paid", "100", "0")


async def test_an_invoice_must_be_there_to_be_paid(service: ServiceUnderTest) -> None:
    tenant, stranger = service.tenant(), service.tenant()
    foreign = await an_invoice(stranger)
    invoice = await an_invoice(tenant)
    for named in (new_id("invoice"), foreign["id"]):
        answer = await tenant.client.post("/v1/payments", json={"amount": cny("100"), "invoice_id": named})
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/invoice_id", "not_found")
    assert (await state_of(stranger, foreign))[0] == "open"
    payment = await pay(tenant, invoice, "1")
    await tenant.client.delete(f"/v1/invoices/{invoice['id']}")
    kept = await tenant.client.patch(f"/v1/payments/{payment['id']}", json={"amount": cny("2")})
    assert (kept.status_code, kept.json()["invoice_id"]) == (200, invoice["id"])
    assert (await tenant.client.delete(f"/v1/payments/{payment['id']}")).status_code == 204


async def test_who_does_not_see_an_invoice_cannot_pay_it(service: ServiceUnderTest) -> None:
    """Nor learn by a payment that it is there."""
    tenant = service.tenant()
    invoice, mine = await an_invoice(tenant, owner_id=UserId.new()), UserId.new()
    fields: dict[str, Any] = dict.fromkeys(("open", "commercial"), "write")
    granted = Grant(frozenset({"payments", "invoices"}), frozenset({"read", "create", "update"}), "own", fields)
    seller = service.tenant(tenant.id, rights=Rights(mine, [], [granted], admin=False))
    body = {"amount": cny("100"), "owner_id": mine}
    answers = [
        await seller.client.post("/v1/payments", json={**body, "invoice_id": named})
        for named in (invoice["id"], new_id("invoice"))
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json()["errors"] == answers[1].json()["errors"]
    assert (await state_of(tenant, invoice))[0] == "open"
    own = await an_invoice(tenant, owner_id=mine)
    payment = await seller.create("/v1/payments", **body, invoice_id=own["id"])
    assert (await state_of(tenant, own))[0] == "paid"
    moved = await seller.client.patch(f"/v1/payments/{payment['id']}", json={"invoice_id": invoice["id"]})
    assert moved.status_code == 422
    # What was paid before it went out of sight stays paid, and follows the payment.
    await tenant.client.patch(f"/v1/invoices/{own['id']}", json={"owner_id": UserId.new()})
    lowered = await seller.client.patch(f"/v1/payments/{payment['id']}", json={"amount": cny("1")})
    assert lowered.status_code == 200
    assert await state_of(tenant, own) == ("open", "1.00", "99.00")


async def test_sums_that_nothing_could_show_are_refused(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    invoice = await an_invoice(tenant)
    await pay(tenant, invoice, "999999999999999")
    body = {"amount": cny("1"), "invoice_id": invoice["id"]}
    answer = await tenant.client.post("/v1/payments", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "payments_range")
    assert (await tenant.client.post("/v1/payments", json={**body, "kind": "refund"})).status_code == 201


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_paid_at_once_the_sums_are_right(service: ServiceUnderTest, seed: int) -> None:
    """Payments of few invoices, made, changed, moved and deleted by many at the same time, and batches of them."""
    tenant, dice = service.tenant(), random.Random(seed)
    invoices = [await an_invoice(tenant, total=str(dice.randrange(1, 200))) for _ in range(3)]
    made: list[dict[str, Any]] = [await pay(tenant, dice.choice(invoices), "10") for _ in range(9)]

    async def act(dice: random.Random) -> int:
        body = {
            "invoice_id": dice.choice(invoices)["id"],
            "amount": cny(str(dice.randrange(1, 99))),
            "status": dice.choice(["succeeded", "succeeded", "failed"]),
            "kind": dice.choice(["payment", "payment", "refund"]),
        }
        path = f"/v1/payments/{dice.choice(made)['id']}"
        match dice.randrange(4):
            case 0:
                answer = await tenant.client.post("/v1/payments", json=body)
            case 1:
                operations = [{"method": "create", "data": body} for _ in range(3)]
                answer = await tenant.client.post("/v1/payments/batch", json={"operations": operations})
            case 2:
                answer = await tenant.client.patch(path, json=body)
            case _:
                answer = await tenant.client.delete(path)
        return answer.status_code

    statuses = await asyncio.gather(*(act(random.Random(f"{seed} {n}")) for n in range(40)))
    assert set(statuses) <= {200, 201, 204, 404}, statuses
    paid: dict[str, Decimal] = {invoice["id"]: Decimal(0) for invoice in invoices}
    cursor: dict[str, str] = {}
    while True:
        page = await tenant.read("/v1/payments", limit="200", **cursor)
        for payment in page["data"]:
            if payment["status"] == "succeeded":
                sign = 1 if payment["kind"] == "payment" else -1
                paid[payment["invoice_id"]] += sign * Decimal(payment["amount"]["amount"])
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    for invoice in invoices:
        now = await tenant.read(f"/v1/invoices/{invoice['id']}")
        assert Decimal(now["amount_paid"]["amount"]) == paid[invoice["id"]]
        assert now["status"] == ("paid" if paid[invoice["id"]] >= Decimal(now["total"]["amount"]) else "open")
