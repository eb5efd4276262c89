"""Deals through the public door."""

import asyncio
import itertools
from typing import Any

from crm_contracts.ids import new_id
from crm_testkit.service import ServiceUnderTest, Tenant

STAGES: list[dict[str, Any]] = [
    {"name": "Talk"},
    {"name": "Offer", "required_fields": ["amount", "contact_id", "custom.budget"]},
    {"name": "Won", "kind": "won"},
    {"name": "Lost", "kind": "lost", "required_fields": ["lost_reason"]},
]


def cny(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


def line(quantity: str, price: str, currency: str = "CNY") -> dict[str, Any]:
    return {"name": "滤芯", "quantity": quantity, "unit_price": {"amount": price, "currency": currency}}


async def pipeline_of(tenant: Tenant, name: str = "P") -> tuple[str, list[str]]:
    pipeline = await tenant.create("/v1/pipelines", name=name, stages=STAGES)
    return pipeline["id"], [stage["id"] for stage in pipeline["stages"]]


async def move(tenant: Tenant, deal_id: str, **body: Any) -> dict[str, Any]:
    response = await tenant.client.post(f"/v1/deals/{deal_id}/move", json=body)
    assert response.status_code == 200, response.text
    moved: dict[str, Any] = response.json()
    return moved


async def test_a_deal_starts_in_the_first_stage_of_the_default_pipeline(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    deal = await tenant.create("/v1/deals", name="年度框架", amount=cny("128000.00"), tags=["vip", "vip"])
    assert (deal["status"], deal["amount"], deal["tags"]) == ("open", cny("128000.00"), ["vip"])
    [entry] = deal["stage_history"]
    assert (entry["stage_name"], entry["left_at"], entry["actor_id"]) == ("新商机", None, "key_test")
    assert await tenant.read(f"/v1/deals/{deal['id']}") == deal
    [event] = await service.events("crm.pipeline.deal", key=deal["id"])
    assert (event.entity, event.action, event.sequence) == (deal, "created", 1)


async def test_a_deal_takes_its_pipeline_from_its_stage(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    pipeline_id, stages = await pipeline_of(tenant)
    deal = await tenant.create("/v1/deals", name="d", stage_id=stages[2])
    assert (deal["pipeline_id"], deal["status"]) == (pipeline_id, "won")
    assert deal["closed_at"] == deal["stage_history"][0]["entered_at"]
    deal = await tenant.create("/v1/deals", name="d", pipeline_id=pipeline_id)
    assert deal["stage_id"] == stages[0]


async def test_moves_write_history_and_closing_and_publish_in_order(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    _, (talk, _, won, lost) = await pipeline_of(tenant)
    deal = await tenant.create("/v1/deals", name="d", stage_id=talk)
    lost_deal = await move(tenant, deal["id"], stage_id=lost, lost_reason="太贵")
    assert (lost_deal["status"], lost_deal["lost_reason"]) == ("lost", "太贵")
    assert lost_deal["closed_at"] == lost_deal["stage_history"][-1]["entered_at"]
    assert await move(tenant, deal["id"], stage_id=lost) == lost_deal, "the same stage is no move"
    reopened = await move(tenant, deal["id"], stage_id=talk)
    assert (reopened["status"], reopened["closed_at"], reopened["lost_reason"]) == ("open", None, None)
    won_deal = await move(tenant, deal["id"], stage_id=won)
    history = (await tenant.read(f"/v1/deals/{deal['id']}/stage-history"))["data"]
    assert history == won_deal["stage_history"]
    assert [entry["stage_id"] for entry in history] == [talk, lost, talk, won]
    assert [entry["left_at"] for entry in history] == [*(entry["entered_at"] for entry in history[1:]), None]

    events = await service.events("crm.pipeline.deal", key=deal["id"], at_least=4)
    assert [(event.sequence, event.action) for event in events] == [
        (1, "created"),
        (2, "stage_moved"),
        (3, "stage_moved"),
        (4, "stage_moved"),
    ]
    assert events[1].entity == lost_deal
    assert events[1].changed == ("closed_at", "lost_reason", "stage_history", "stage_id", "status")


async def test_a_stage_takes_only_deals_with_its_required_fields(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    _, (talk, offer, _, lost) = await pipeline_of(tenant)
    deal = await tenant.create("/v1/deals", name="d", stage_id=talk)
    refused = await tenant.client.post(
        f"/v1/deals/{deal['id']}/move", json={"stage_id": offer}, headers={"Accept-Language": "zh-CN"}
    )
    assert refused.status_code == 422
    assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [
        ("/amount", "required_by_stage"),
        ("/contact_id", "required_by_stage"),
        ("/custom/budget", "required_by_stage"),
    ]
    assert "必须填写" in refused.json()["errors"][0]["detail"]
    assert (await tenant.client.post(f"/v1/deals/{deal['id']}/move", json={"stage_id": lost})).status_code == 422
    assert (await tenant.client.post("/v1/deals", json={"name": "d", "stage_id": offer})).status_code == 422
    assert await tenant.read(f"/v1/deals/{deal['id']}") == deal, "nothing happened"

    patch = {"stage_id": offer, "amount": cny("1"), "contact_id": new_id("contact"), "custom": {"budget": 0}}
    moved = await tenant.client.patch(f"/v1/deals/{deal['id']}", json=patch)
    assert moved.status_code == 200, moved.text
    assert moved.json()["stage_id"] == offer


async def test_a_patch_of_the_stage_is_a_move(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    first, stages = await pipeline_of(tenant)
    second, others = await pipeline_of(tenant, "Q")
    deal = await tenant.create("/v1/deals", name="d", stage_id=stages[0])
    path = f"/v1/deals/{deal['id']}"
    refused = await tenant.client.patch(path, json={"stage_id": others[0]})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "not_in_pipeline")
    refused = await tenant.client.post(f"{path}/move", json={"stage_id": others[0]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/stage_id")

    patched = (await tenant.client.patch(path, json={"stage_id": stages[2], "name": "e"})).json()
    assert (patched["status"], patched["name"], patched["version"]) == ("won", "e", 2)
    patched = (await tenant.client.patch(path, json={"pipeline_id": second})).json()
    assert (patched["pipeline_id"], patched["stage_id"], patched["closed_at"]) == (second, others[0], None)
    patched = (await tenant.client.patch(path, json={"pipeline_id": first, "stage_id": stages[2]})).json()
    assert [entry["stage_id"] for entry in patched["stage_history"]] == [stages[0], stages[2], others[0], stages[2]]
    events = await service.events("crm.pipeline.deal", key=deal["id"], at_least=4)
    assert [event.action for event in events] == ["created", "stage_moved", "stage_moved", "stage_moved"]


async def test_only_a_lost_deal_has_a_reason(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    _, (talk, _, won, lost) = await pipeline_of(tenant)
    deal = await tenant.create("/v1/deals", name="d", stage_id=talk)
    path = f"/v1/deals/{deal['id']}"
    for response in (
        await tenant.client.post("/v1/deals", json={"name": "d", "stage_id": talk, "lost_reason": "x"}),
        await tenant.client.post(f"{path}/move", json={"stage_id": won, "lost_reason": "x"}),
        await tenant.client.patch(path, json={"lost_reason": "x"}),
    ):
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/lost_reason")
    patched = (await tenant.client.patch(path, json={"stage_id": lost, "lost_reason": "x"})).json()
    assert patched["lost_reason"] == "x"
    assert (await move(tenant, deal["id"], stage_id=lost, lost_reason="y"))["lost_reason"] == "y"
    assert (await tenant.client.patch(path, json={"stage_id": talk})).json()["lost_reason"] is None


async def test_references_that_do_not_exist_are_named(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    for field in ("pipeline_id", "stage_id"):
        response = await tenant.client.post("/v1/deals", json={"name": "d", field: new_id(field.removesuffix("_id"))})
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, f"/{field}")
    response = await tenant.client.post("/v1/deals", json={"name": "d", "contact_id": new_id("account")})
    assert response.json()["errors"][0]["code"] == "format"
    stranger = service.tenant()
    _, stages = await pipeline_of(tenant)
    response = await stranger.client.post("/v1/deals", json={"name": "d", "stage_id": stages[0]})
    assert response.json()["errors"][0]["code"] == "not_found", "another tenant's stage is no stage"


async def test_concurrent_moves_happen_one_after_another(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    _, (talk, _, won, _) = await pipeline_of(tenant)
    deal = await tenant.create("/v1/deals", name="d", stage_id=talk)
    responses = await asyncio.gather(
        *(
            tenant.client.post(f"/v1/deals/{deal['id']}/move", json={"stage_id": (talk, won)[number % 2]})
            for number in range(12)
        )
    )
    assert {response.status_code for response in responses} == {200}
    after = await tenant.read(f"/v1/deals/{deal['id']}")
    history = after["stage_history"]
    assert all(left["stage_id"] != right["stage_id"] for left, right in itertools.pairwise(history))
    assert after["version"] == len(history), "each move is one version"
    events = await service.events("crm.pipeline.deal", key=deal["id"], at_least=after["version"])
    assert [event.sequence for event in events] == list(range(1, after["version"] + 1))

    stale = await tenant.client.post(
        f"/v1/deals/{deal['id']}/move", json={"stage_id": won}, headers={"If-Match": '"1"'}
    )
    assert stale.status_code == 412


async def test_one_of_two_moves_that_read_the_same_version_wins(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    _, (talk, _, won, _) = await pipeline_of(tenant)
    deal = await tenant.create("/v1/deals", name="d", stage_id=talk)
    responses = await asyncio.gather(
        *(
            tenant.client.post(f"/v1/deals/{deal['id']}/move", json={"stage_id": won}, headers={"If-Match": '"1"'})
            for _ in range(6)
        )
    )
    assert sorted(response.status_code for response in responses) == [200, 412, 412, 412, 412, 412]


async def test_the_amount_is_that_of_the_lines_unless_it_is_given(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    deal = await tenant.create("/v1/deals", name="d", lines=[line("2", "999.50"), line("1.5", "10.00")])
    assert deal["amount"] == cny("2014.00")
    path = f"/v1/deals/{deal['id']}"
    followed = (await tenant.client.patch(path, json={"lines": [line("1", "7.00")]})).json()
    assert followed["amount"] == cny("7.00")
    given = (await tenant.client.patch(path, json={"amount": cny("5.50")})).json()
    kept = (await tenant.client.patch(path, json={"lines": [line("3", "7.00")]})).json()
    assert given["amount"] == kept["amount"] == cny("5.50")
    assert (await tenant.client.patch(path, json={"amount": None})).json()["amount"] == cny("21.00")
    several = await tenant.create("/v1/deals", name="d", lines=[line("1", "1"), line("1", "1", "USD")])
    assert several["amount"] is None


async def test_digits_are_kept_as_they_were_written(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    deal = await tenant.create("/v1/deals", name="d", amount=cny("10.0"), lines=[line("1.00", "2.50")])
    path = f"/v1/deals/{deal['id']}"
    assert (await tenant.read(path))["amount"] == cny("10.0")
    assert (await tenant.read(path))["lines"][0]["quantity"] == "1.00"
    patched = (await tenant.client.patch(path, json={"amount": cny("10.00")})).json()
    assert (patched["amount"], patched["version"]) == (cny("10.00"), 2)
    assert await tenant.read(path) == patched
    events = await service.events("crm.pipeline.deal", key=deal["id"], at_least=2)
    assert events[-1].entity == patched
    largest = await tenant.create("/v1/deals", name="d", amount=cny("999999999999999.999999"))
    assert (await tenant.read(f"/v1/deals/{largest['id']}"))["amount"] == cny("999999999999999.999999")


async def test_deals_are_filtered_and_sorted(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact, account, owner = new_id("contact"), new_id("account"), new_id("user")
    for number, amount in enumerate(("9", "10", "100.5", None)):
        await tenant.create(
            "/v1/deals",
            name=f"d{number}",
            contact_id=contact if number % 2 else None,
            account_id=account,
            owner_id=owner,
            expected_close=f"2026-0{number + 1}-01",
            tags=[f"t{number}"],
            **({"amount": cny(amount)} if amount else {}),
        )

    async def names(**params: str) -> list[str]:
        return [deal["name"] for deal in (await tenant.read("/v1/deals", **params))["data"]]

    assert await names(sort="-amount") == ["d2", "d1", "d0", "d3"]
    assert await names(sort="amount", limit="2") == ["d0", "d1"]
    assert await names(contact_id=contact, sort="name") == ["d1", "d3"]
    assert await names(account_id=account, owner_id=owner, status="open", sort="-expected_close", limit="1") == ["d3"]
    assert await names(tag="t2") == ["d2"]
    assert await names(amount="100.50") == ["d2"]
    assert await names(currency="USD") == []
    where = {
        "all": [{"field": "amount", "op": "gte", "value": "10"}, {"field": "currency", "op": "eq", "value": "CNY"}]
    }
    found = await tenant.client.post("/v1/deals/search", json={"where": where, "sort": ["amount"]})
    assert [deal["name"] for deal in found.json()["data"]] == ["d1", "d2"]


async def test_a_deleted_deal_leaves_a_tombstone(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    deal = await tenant.create("/v1/deals", name="d")
    assert (await tenant.client.delete(f"/v1/deals/{deal['id']}")).status_code == 204
    assert (await tenant.client.get(f"/v1/deals/{deal['id']}/stage-history")).status_code == 404
    events = await service.events("crm.pipeline.deal", key=deal["id"], at_least=3)
    assert [(event.action, event.entity is None) for event in events[1:]] == [("deleted", False), ("deleted", True)]
