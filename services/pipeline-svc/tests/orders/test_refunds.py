"""What was given back of an order, and what it counts as since."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from crm_contracts.facts import counts_as
from crm_contracts.ids import UserId, new_id
from crm_contracts.types import Money
from crm_kit.rights import Rights
from crm_kit.rights.grants import Grant
from crm_testkit.service import ServiceUnderTest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_svc.features.orders.rules import refund_faults, refunded_amount
from pipeline_svc.features.orders.schemas import RefundWrite


def refund(amount: str, at: str = "2026-10-02T08:00:00Z", currency: str = "CNY", **more: Any) -> dict[str, Any]:
    return {"amount": {"amount": amount, "currency": currency}, "at": at, **more}


TOTAL = {"amount": "1999.00", "currency": "CNY"}


async def test_refunds_are_added_up_and_leave_the_status_to_its_writer(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    order = await tenant.create("/v1/orders", total=TOTAL, status="completed")
    assert (order["refunds"], order["refunded_total"]) == ([], None)
    given_back = [refund("99.00", external_id="r1", reason="破损"), refund("900.5")]
    patched = (await tenant.client.patch(f"/v1/orders/{order['id']}", json={"refunds": given_back})).json()
    assert patched["refunded_total"] == {"amount": "999.50", "currency": "CNY"}
    assert patched["status"] == "completed"
    assert patched["refunds"] == [
        {"external_id": "r1", "reason": "破损", "amount": given_back[0]["amount"], "at": "2026-10-02T08:00:00Z"},
        {"external_id": None, "reason": None, "amount": given_back[1]["amount"], "at": "2026-10-02T08:00:00Z"},
    ]
    event = (await service.events("crm.pipeline.order", key=order["id"]))[-1]
    assert event.entity == patched
    found = await tenant.client.post(
        "/v1/orders/search", json={"where": {"field": "refunded_total", "op": "gt", "value": "999"}}
    )
    assert [one["id"] for one in found.json()["data"]] == [order["id"]]
    cleared = (await tenant.client.patch(f"/v1/orders/{order['id']}", json={"refunds": None})).json()
    assert (cleared["refunds"], cleared["refunded_total"]) == ([], None)


async def test_refunds_that_are_told_one_by_one_are_all_there_once(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    order = await tenant.create("/v1/orders", total=TOTAL, status="paid")
    path = f"/v1/orders/{order['id']}/refunds"
    told = [refund(f"{n}", external_id=f"r{n}") for n in range(1, 9)]
    answers = await asyncio.gather(*(tenant.client.post(path, json=body) for body in [*told, *told]))
    assert {answer.status_code for answer in answers} == {200}
    now = await tenant.read(f"/v1/orders/{order['id']}")
    assert sorted(each["external_id"] for each in now["refunds"]) == sorted(each["external_id"] for each in told)
    assert (now["refunded_total"]["amount"], now["version"]) == ("36", 9)
    corrected = (await tenant.client.post(path, json=refund("0.50", external_id="r8"))).json()
    assert corrected["refunded_total"]["amount"] == "28.50"
    for _ in range(2):  # who gives them no name gives two
        added = await tenant.client.post(path, json=refund("1.00"))
    assert added.json()["refunded_total"]["amount"] == "30.50"
    wrong = await tenant.client.post(path, json=refund("1", currency="USD"))
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (422, "other_currency")
    late = await tenant.client.post(path, json=refund("1"), headers={"If-Match": '"1"'})
    assert late.status_code == 412
    assert (await tenant.client.post(f"/v1/orders/{new_id('order')}/refunds", json=refund("1"))).status_code == 404
    poor = Grant(frozenset({"orders"}), frozenset({"read", "update"}), "all", {"open": "write", "commercial": "read"})
    reader = service.tenant(tenant.id, rights=Rights(UserId.new(), [], [poor], admin=False))
    refused = await reader.client.post(path, json=refund("1"))
    assert (refused.status_code, refused.json()["missing_permission"]) == (403, "orders.refunds:write")


@pytest.mark.parametrize(
    ("refunds", "pointer", "code"),
    [
        ([refund("1"), refund("1", currency="USD")], "/refunds/1/amount/currency", "other_currency"),
        ([refund("1", external_id="a"), refund("2", external_id="a")], "/refunds/1/external_id", "repeated"),
        ([refund("999999999999999"), refund("1")], "/refunds", "refunds_range"),
        ([refund("-1")], "/refunds/0/amount", "range"),
        ([{"amount": TOTAL}], "/refunds/0/at", "required"),
    ],
)
async def test_what_is_no_refund_of_the_order_is_refused(
    service: ServiceUnderTest, refunds: list[dict[str, Any]], pointer: str, code: str
) -> None:
    answer = await service.tenant().client.post("/v1/orders", json={"total": TOTAL, "refunds": refunds})
    assert answer.status_code == 422, answer.text
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]


amounts = st.decimals("0", "99999", places=2)


@given(st.lists(amounts, max_size=5), amounts, st.sampled_from(["paid", "draft", "refunded"]))
def test_an_order_counts_for_what_is_left_of_it(given_back: list[Decimal], total: Decimal, status: str) -> None:
    refunds = [
        RefundWrite.model_validate(refund(str(abs(amount)), external_id=f"{place}"))
        for place, amount in enumerate(given_back)
    ]
    assert not refund_faults(refunds, "CNY")
    back = refunded_amount(refunds)
    assert (back is None) == (not given_back)
    entity = {
        "status": status,
        "total": Money(amount=abs(total), currency="CNY").model_dump(mode="json"),
        "refunded_total": None if back is None else Money(amount=back, currency="CNY").model_dump(mode="json"),
    }
    counted = counts_as(entity)
    assert counted.amount == max(abs(total) - (back or 0), Decimal(0))
    assert (counted.status == "refunded") == (status == "refunded" or (bool(back) and (back or 0) >= abs(total)))
