"""Orders through the public door."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from crm_contracts.ids import new_id
from crm_testkit.service import ServiceUnderTest


def line(quantity: str, price: str, currency: str = "CNY") -> dict[str, Any]:
    return {"name": "滤芯", "sku": "LX-1", "quantity": quantity, "unit_price": {"amount": price, "currency": currency}}


LINES = [line("2", "999.50")]


async def test_an_order_is_totalled_from_its_lines_and_published(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    order = await tenant.create("/v1/orders", number="SO-1", source="shop", external_id="77", lines=LINES)
    assert order["total"] == {"amount": "1999.00", "currency": "CNY"}
    assert order["status"] == "pending"
    age = datetime.now(UTC) - datetime.fromisoformat(order["placed_at"])
    assert 0 <= age.total_seconds() < 60
    assert await tenant.read(f"/v1/orders/{order['id']}") == order
    [event] = await service.events("crm.pipeline.order", key=order["id"])
    assert (event.entity, event.action) == (order, "created")


async def test_a_total_follows_its_lines_until_it_is_given(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    order = await tenant.create("/v1/orders", lines=LINES)
    path = f"/v1/orders/{order['id']}"
    patched = (await tenant.client.patch(path, json={"lines": [*LINES, line("1", "-99.00")]})).json()
    assert patched["total"]["amount"] == "1900.00"
    given = (await tenant.client.patch(path, json={"total": {"amount": "1950.5", "currency": "CNY"}})).json()
    kept = (await tenant.client.patch(path, json={"lines": LINES, "status": "paid"})).json()
    assert given["total"] == kept["total"] == {"amount": "1950.5", "currency": "CNY"}
    assert kept["number"] == order["number"]
    assert (await tenant.client.patch(path, json={"number": None})).json()["number"] == order["number"]


@pytest.mark.parametrize(
    ("body", "pointer", "english", "chinese"),
    [
        ({}, "/total", "Is required where there are no lines", "没有明细行时必填"),
        (
            {"lines": [line("1", "1"), line("1", "1", "USD")]},
            "/total",
            "Is required where lines are in several currencies",
            "明细行包含多种货币时必填",
        ),
        ({"lines": [line("1", "-1")]}, "/total", "The lines come to less than 0", "明细行合计小于 0"),
        ({"lines": [line("0", "1")]}, "/lines/0/quantity", "Must be greater than 0", "必须大于 0"),
        (
            {"lines": [line("1", "1"), line("x", "1")]},
            "/lines/1/quantity",
            'Must be a decimal string such as "1999.00"',
            '必须是十进制字符串，例如 "1999.00"',
        ),
        ({"number": "  ", "lines": LINES}, "/number", "Must have at least 1 characters", "至少 1 个字符"),
        ({"total": {"amount": "-1", "currency": "CNY"}}, "/total", "Must not be negative", "不得为负数"),
        (
            {"lines": [line("1", "1", "XXX")]},
            "/lines/0/unit_price/currency",
            "Must be an ISO 4217 currency code such as CNY",
            "必须是 ISO 4217 货币代码，例如 CNY",
        ),
    ],
)
async def test_faults_are_named_in_both_languages(
    service: ServiceUnderTest, body: dict[str, Any], pointer: str, english: str, chinese: str
) -> None:
    tenant = service.tenant()
    for language, detail in (("en", english), ("zh", chinese)):
        response = await tenant.client.post("/v1/orders", json=body, headers={"Accept-Language": language})
        assert response.status_code == 422
        [error] = response.json()["errors"]
        assert (error["pointer"], error["detail"]) == (pointer, detail)


async def test_numbers_and_external_ids_are_unique_within_their_source(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    first = await tenant.create("/v1/orders", number="1", source="shop", external_id="a", lines=LINES)
    await tenant.create("/v1/orders", number="1", source="erp", external_id="a", lines=LINES)
    unsourced = await tenant.create("/v1/orders", number="1", lines=LINES)
    await service.tenant().create("/v1/orders", number="1", source="shop", external_id="a", lines=LINES)
    other = await tenant.create("/v1/orders", number="2", source="shop", external_id="b", lines=LINES)

    async def conflict(method: str, path: str, body: dict[str, Any]) -> tuple[int, str, str]:
        response = await tenant.client.request(method, path, json=body)
        return response.status_code, response.json()["code"], response.json()["order_id"]

    taken = {"number": "1", "source": "shop", "lines": LINES}
    assert await conflict("POST", "/v1/orders", taken) == (409, "order_number_taken", first["id"])
    assert await conflict("POST", "/v1/orders", {"number": "1", "lines": LINES}) == (
        409,
        "order_number_taken",
        unsourced["id"],
    )
    path = f"/v1/orders/{other['id']}"
    assert await conflict("PATCH", path, {"external_id": "a"}) == (409, "order_external_id_taken", first["id"])
    assert await conflict("PATCH", path, {"number": "1"}) == (409, "order_number_taken", first["id"])
    assert (await tenant.client.patch(path, json={"number": "3", "external_id": None})).status_code == 200
    assert (await tenant.client.delete(f"/v1/orders/{first['id']}")).status_code == 204
    await tenant.create("/v1/orders", **taken)


@pytest.mark.parametrize("source", ["shop", None])
async def test_the_same_order_posted_ten_times_at_once_is_one(service: ServiceUnderTest, source: str | None) -> None:
    tenant = service.tenant()
    bodies = [{"number": "SO-9", "source": source, "external_id": f"{number}", "lines": LINES} for number in range(10)]
    bodies = [{name: value for name, value in body.items() if value is not None} for body in bodies]
    responses = await asyncio.gather(*(tenant.client.post("/v1/orders", json=body) for body in bodies))
    assert sorted(response.status_code for response in responses) == [201, *[409] * 9]
    [order] = (await tenant.read("/v1/orders"))["data"]
    assert {response.json()["order_id"] for response in responses if response.status_code == 409} == {order["id"]}


async def test_the_same_upsert_sent_at_once_makes_one_order(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    operation = {
        "method": "upsert",
        "match": "external_id",
        "data": {"number": "7", "source": "shop", "external_id": "x", "lines": LINES},
    }
    responses = await asyncio.gather(
        *(tenant.client.post("/v1/orders/batch", json={"operations": [operation]}) for _ in range(8))
    )
    statuses = [response.json()["results"][0]["status"] for response in responses]
    assert sorted(statuses) == [*[200] * 7, 201]
    [order] = (await tenant.read("/v1/orders"))["data"]
    assert order["version"] == 1, "the others changed nothing"


async def test_a_batch_creates_updates_and_refuses_each_by_itself(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    first = await tenant.create("/v1/orders", number="1", source="shop", external_id="a", lines=LINES)

    def upsert(match: str, **data: Any) -> dict[str, Any]:
        return {"method": "upsert", "match": match, "data": data}

    operations = [
        upsert("external_id", source="shop", external_id="a", status="paid"),
        upsert("number", source="shop", number="1", tags=["vip"]),
        upsert("number", source="shop", number="2", lines=LINES),
        upsert("number", source="erp", number="1", lines=LINES),
        upsert("external_id", source="shop", lines=LINES),
        upsert("number", source="shop", number="3"),
        upsert("number", source="no slug!", number="3", lines=LINES),
        {"method": "create", "data": {"number": "1", "source": "shop", "lines": LINES}},
        {"method": "create", "data": {"lines": LINES}},
        {"method": "update", "id": first["id"], "data": {"status": "shipped"}},
    ]
    response = await tenant.client.post(
        "/v1/orders/batch", json={"operations": operations}, headers={"Accept-Language": "zh"}
    )
    results = response.json()["results"]
    assert [result["status"] for result in results] == [200, 200, 201, 201, 422, 422, 422, 409, 201, 200]
    assert [result.get("id") for result in results[:2]] == [first["id"], first["id"]]
    assert [result["error"]["errors"][0]["pointer"] for result in results[4:7]] == ["/external_id", "/total", "/source"]
    assert results[7]["error"]["order_id"] == first["id"]
    after = await tenant.read(f"/v1/orders/{first['id']}")
    assert (after["status"], after["tags"], after["version"]) == ("shipped", ["vip"], 4)
    events = await service.events("crm.pipeline.order", key=first["id"], at_least=4)
    assert [event.sequence for event in events] == [1, 2, 3, 4]


async def test_an_order_without_number_is_given_the_next(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    made = await asyncio.gather(*(tenant.create("/v1/orders", lines=LINES) for _ in range(8)))
    assert sorted(order["number"] for order in made) == [f"O-{number:06}" for number in range(1, 9)]
    for number in range(9, 30):
        await tenant.create("/v1/orders", number=f"O-{number:06}", lines=LINES)
    assert (await tenant.create("/v1/orders", lines=LINES))["number"] == "O-000030", "taken numbers are passed over"
    assert (await tenant.create("/v1/orders", source="shop", lines=LINES))["number"] == "O-000031"
    assert (await service.tenant().create("/v1/orders", lines=LINES))["number"] == "O-000001"


async def test_orders_are_filtered_and_sorted(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = new_id("contact")
    for number, amount in enumerate(("20", "100.00", "3")):
        await tenant.create(
            "/v1/orders",
            number=f"{number}",
            source="shop",
            contact_id=contact,
            placed_at=f"2026-10-0{number + 1}T08:00:00+08:00",
            total={"amount": amount, "currency": "CNY"},
            status="paid" if number else "draft",
        )

    async def numbers(**params: str) -> list[str]:
        return [order["number"] for order in (await tenant.read("/v1/orders", **params))["data"]]

    assert await numbers(sort="-total") == ["1", "0", "2"]
    assert await numbers(sort="placed_at", contact_id=contact, status="paid") == ["1", "2"]
    assert await numbers(total="100") == ["1"]
    assert await numbers(number="2", source="shop") == ["2"]
    first = (await tenant.read("/v1/orders", number="0"))["data"][0]
    assert first["placed_at"] == "2026-10-01T00:00:00Z"


async def test_names_are_given_once_within_a_batch_too(service: ServiceUnderTest) -> None:
    """What was looked up for all of them counts until one of them takes it, or gives it back."""
    tenant = service.tenant()
    taken = await tenant.create("/v1/orders", source="shop", number="1", external_id="a", lines=LINES)

    def create(number: str, external_id: str) -> dict[str, Any]:
        data = {"source": "shop", "number": number, "external_id": external_id, "lines": LINES}
        return {"method": "create", "data": data}

    def rename(number: str) -> dict[str, Any]:
        return {"method": "update", "id": taken["id"], "data": {"number": number}}

    for operations, statuses in (
        ([create("2", "b"), create("3", "c")], [201, 201]),
        ([create("4", "d"), create("4", "e"), create("5", "d"), create("5", "e")], [201, 409, 409, 201]),
        ([create("6", "f"), rename("6"), rename("7"), create("1", "g"), rename("1")], [201, 409, 200, 201, 409]),
        ([rename("8"), create("7", "h"), rename("9"), create("8", "i"), create("7", "j")], [200, 201, 200, 201, 409]),
    ):
        answer = await tenant.client.post("/v1/orders/batch", json={"operations": operations})
        assert [result["status"] for result in answer.json()["results"]] == statuses, answer.text
    numbers = [order["number"] for order in (await tenant.read("/v1/orders", limit="100"))["data"]]
    assert sorted(numbers) == sorted(set(numbers)) == ["1", "2", "3", "4", "5", "6", "7", "8", "9"]
