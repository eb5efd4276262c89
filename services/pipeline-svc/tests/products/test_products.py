"""Products through the public door."""

from typing import Any

from crm_contracts.ids import new_id
from crm_testkit.service import ServiceUnderTest, Tenant


async def upsert(tenant: Tenant, match: str, **data: Any) -> dict[str, Any]:
    operation = {"method": "upsert", "match": match, "data": data}
    answer = await tenant.client.post("/v1/products/batch", json={"operations": [operation]})
    [result] = answer.json()["results"]
    return dict(result)


async def test_a_product_is_written_and_published(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    price = {"amount": "19.90", "currency": "CNY"}
    product = await tenant.create("/v1/products", name="滤芯", sku="LX-1", unit_price=price, category="耗材")
    assert (product["unit_price"], product["is_active"], product["external_id"]) == (price, True, None)
    [event] = await service.events("crm.pipeline.product", key=product["id"])
    assert (event.entity, event.action) == (product, "created")
    path = f"/v1/products/{product['id']}"
    gone = (await tenant.client.patch(path, json={"is_active": False, "unit_price": None})).json()
    assert (gone["is_active"], gone["unit_price"]) == (False, None)
    listed = await tenant.read("/v1/products", is_active="false", category="耗材")
    assert [one["id"] for one in listed["data"]] == [product["id"]]


async def test_one_id_of_a_source_is_one_product(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    first = await tenant.create("/v1/products", name="a", source="shop", external_id="7")
    await tenant.create("/v1/products", name="b", source="erp", external_id="7")
    answer = await tenant.client.post("/v1/products", json={"name": "c", "source": "shop", "external_id": "7"})
    assert (answer.status_code, answer.json()["code"], answer.json()["product_id"]) == (
        409,
        "product_external_id_taken",
        first["id"],
    )
    result = await upsert(tenant, "external_id", name="a2", source="shop", external_id="7")
    assert (result["status"], result["id"]) == (200, first["id"])


async def test_a_sku_is_looked_for_in_the_source_that_is_named_or_everywhere(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    shop = await tenant.create("/v1/products", name="shop", sku="LX-1", source="shop")
    assert (await upsert(tenant, "sku", name="x", sku="LX-1"))["id"] == shop["id"]
    made = await upsert(tenant, "sku", name="erp", sku="LX-1", source="erp")
    assert made["status"] == 201
    assert (await upsert(tenant, "sku", name="erp 2", sku="LX-1", source="erp"))["id"] == made["id"]
    several = await upsert(tenant, "sku", name="y", sku="LX-1")
    assert several["status"] == 409
    assert set(several["error"]["candidates"]) == {shop["id"], made["id"]}
    # Two variants of one shop may share it: they are told apart by their ids.
    await tenant.create("/v1/products", name="variant", sku="LX-1", source="shop")
    assert (await upsert(tenant, "sku", name="z", sku="LX-1", source="shop"))["status"] == 409
    assert (await upsert(tenant, "sku", name="none"))["status"] == 422


async def test_two_upserts_of_one_batch_make_one_product(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    operations = [
        {"method": "upsert", "match": "sku", "data": {"name": f"n{n}", "sku": "LX-9", **more}}
        for n, more in enumerate(({}, {"source": None}, {"category": "c"}))
    ]
    answer = await tenant.client.post("/v1/products/batch", json={"operations": operations})
    assert [result["status"] for result in answer.json()["results"]] == [201, 200, 200], answer.text
    [product] = (await tenant.read("/v1/products"))["data"]
    assert (product["name"], product["category"]) == ("n2", "c")


async def test_lines_may_name_products_that_are_not_there(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    line = {"name": "滤芯", "quantity": "1", "unit_price": {"amount": "1", "currency": "CNY"}}
    order = await tenant.create("/v1/orders", lines=[{**line, "product_id": new_id("product")}])
    assert order["lines"][0]["product_id"]
