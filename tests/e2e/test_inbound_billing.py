"""Refunds, products, invoices and payments of shops and ERPs, in whatever order they come."""

import asyncio
import random
import uuid
from typing import Any

import httpx
import pytest
from crm_testkit.shops import Shop, ShopifyCustomer, shopify_order
from crm_testkit.whole_stack import Relata

Json = dict[str, Any]


@pytest.fixture
async def client(on_embedded: Relata) -> Any:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Billing")) as client:
        yield client


async def _shop(client: httpx.AsyncClient, kind: str, **more: Any) -> Shop:
    answer = await client.post("/v1/inbound-sources", json={"name": "Shop", "kind": kind, **more})
    assert answer.status_code == 201, answer.text
    return Shop(client, answer.json())


async def _ended(client: httpx.AsyncClient) -> list[Json]:
    async with asyncio.timeout(90):
        while True:
            found = (await client.get("/v1/inbound-deliveries", params={"limit": 200})).json()["data"]
            if all(one["due_at"] is None for one in found):
                return list(found)
            await asyncio.sleep(0.1)


async def _only(client: httpx.AsyncClient, path: str, **params: Any) -> Json:
    [found] = (await client.get(path, params=params)).json()["data"]
    return dict(found)


def _refund(number: int, amount: str) -> Json:
    transaction = {"kind": "refund", "status": "success", "amount": amount, "currency": "USD"}
    return {
        "id": number, "order_id": 450, "created_at": "2026-05-05T10:00:00-04:00", "note": "broke during shipping",
        "transactions": [transaction],
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
async def test_refunds_stand_on_their_order_whatever_comes_first(client: httpx.AsyncClient, seed: int) -> None:
    shop = await _shop(client, "shopify")
    bob = ShopifyCustomer(7, "bob@example.com").payload()
    paid = shopify_order(450, bob, financial_status="paid", updated_at="2026-05-03T00:00:00Z")
    told = {"refunds": [_refund(1, "100.00")], "financial_status": "partially_refunded"}
    sent = [
        ("orders/create", shopify_order(450, bob)),
        ("orders/paid", paid),
        ("refunds/create", _refund(1, "100.00")),
        ("refunds/create", _refund(2, "9.94")),
        ("orders/updated", shopify_order(450, bob, updated_at="2026-05-05T14:00:01Z", **told)),
    ]
    times = [(topic, payload, str(uuid.uuid4())) for topic, payload in [*sent, *sent]]
    random.Random(seed).shuffle(times)
    for topic, payload, event_id in times:
        await shop.shopify(topic, payload, event_id=event_id)
    deliveries = await _ended(client)
    assert {one["status"] for one in deliveries} <= {"done", "ignored"}, deliveries
    order = await _only(client, "/v1/orders")
    assert sorted((one["external_id"], one["amount"]["amount"], one["reason"]) for one in order["refunds"]) == [
        ("1", "100.00", "broke during shipping"),
        ("2", "9.94", "broke during shipping"),
    ]
    assert (order["status"], order["refunded_total"]["amount"]) == ("paid", "109.94")


async def test_a_shop_s_products_are_its_variants(client: httpx.AsyncClient) -> None:
    shop = await _shop(client, "shopify", currency="USD")
    variants = [
        {"id": 11, "title": "Pink", "price": "199.00", "sku": "NANO-P"},
        {"id": 12, "title": "Red", "price": "209.00", "sku": "NANO-R"},
    ]
    body = {"id": 1, "title": "Nano", "product_type": "Music", "tags": "mp3, small", "status": "active",
            "updated_at": "2026-05-01T00:00:00Z", "variants": variants}  # fmt: skip
    await shop.shopify("products/update", body)
    await shop.shopify("products/update", {**body, "status": "archived", "updated_at": "2026-05-02T00:00:00Z"})
    assert {one["status"] for one in await _ended(client)} <= {"done", "ignored"}
    red = await _only(client, "/v1/products", external_id="12")
    assert (red["name"], red["sku"], red["unit_price"], red["is_active"]) == (
        "Nano - Red", "NANO-R", {"amount": "209.00", "currency": "USD"}, False,
    )  # fmt: skip
    woo = await _shop(client, "woocommerce")
    product = {"id": 5, "name": "Tea &amp; cup", "sku": "", "price": "21.99", "status": "publish", "categories": [],
               "tags": [], "date_modified_gmt": "2026-05-01T00:00:00"}  # fmt: skip
    await woo.woocommerce("product.created", product)
    await _ended(client)
    await woo.woocommerce("product.deleted", {"id": 5})
    assert {one["status"] for one in await _ended(client)} <= {"done", "ignored"}
    tea = await _only(client, "/v1/products", external_id="5")
    assert (tea["name"], tea["is_active"]) == ("Tea & cup", False)


async def test_an_erp_s_payment_pays_its_invoice(client: httpx.AsyncClient) -> None:
    erp = await _shop(client, "erp", currency="CNY")
    await erp.standard(
        {
            "customers": [{"id": "C-1", "name": "王伟", "email": "wei@example.com"}],
            "invoices": [{"id": "I-1", "number": "INV-1", "customer_id": "C-1", "status": "open", "total": "199.00",
                          "due_at": "2026-06-01", "issued_at": "2026-05-01T00:00:00Z"}],
            "payments": [{"id": "Z-1", "invoice_id": "I-1", "customer_id": "C-1", "amount": "199.00",
                          "status": "succeeded", "paid_at": "2026-05-02T00:00:00Z", "method": "alipay"}],
        }
    )  # fmt: skip
    [delivery] = await _ended(client)
    assert delivery["status"] == "done", delivery["faults"]
    invoice = await _only(client, "/v1/invoices", external_id="I-1")
    contact = await _only(client, "/v1/contacts")
    assert (invoice["status"], invoice["contact_id"], invoice["due_at"]) == ("paid", contact["id"], "2026-06-01")
    assert (await _only(client, "/v1/payments"))["invoice_id"] == invoice["id"]
