"""Tag rules over all services: an order that is placed tags its customer in the view; whatever dies, all are as the rules say."""

import asyncio
from typing import Any

import httpx
from crm_testkit.importing import imported
from crm_testkit.whole_stack import Relata

ROWS = 3000
HIGH_VALUE = {"field": "orders.total.CNY", "op": "gte", "value": "10000"}
FROM_FAIR = {"field": "source", "op": "eq", "value": "fair"}


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def until_tagged(client: httpx.AsyncClient, contact_id: str, *tags: str) -> dict[str, Any]:
    """The customer's view, once it has these tags."""
    async with asyncio.timeout(60):
        while True:
            answer = await client.get(f"/v1/customers/{contact_id}")
            if answer.status_code == 200 and set(answer.json()["tags"]) == set(tags):
                found: dict[str, Any] = answer.json()
                return found
            await asyncio.sleep(0.05)


async def test_an_order_tags_its_customer_and_follows_a_merge(relata: Relata) -> None:
    async with relata.client_of(await relata.new_tenant_key("Tags")) as client:
        rule = await post(client, "/v1/tag-rules", name="高价值客户", tag="high", where=HIGH_VALUE)
        one, other = [(await post(client, "/v1/contacts", full_name="王伟"))["id"] for _ in range(2)]
        total = {"amount": "10000.00", "currency": "CNY"}
        order = await post(client, "/v1/orders", number="1", contact_id=other, total=total, status="paid")
        view = await until_tagged(client, other, "high")
        assert view["sales"]["orders"]["count"] == 1
        [told] = (await client.get(f"/v1/contacts/{other}/tags")).json()["data"]
        assert (told["rule_id"], told["why"][0]["actual"]) == (rule["id"], "10000.00")
        merged = await post(client, f"/v1/contacts/{one}/merge", **{"from": [other]})
        await until_tagged(client, one, "high")
        await post(client, f"/v1/merges/{merged['merge']['id']}/undo")
        await until_tagged(client, other, "high")
        await until_tagged(client, one)
        answer = await client.patch(f"/v1/orders/{order['id']}", json={"status": "refunded"})
        assert answer.status_code == 200, answer.text
        await until_tagged(client, other)
        ticket = await post(client, "/v1/tickets", subject="x", contact_id=one, priority="urgent")
        urgent = {"field": "tickets.urgent_open_count", "op": "gte", "value": 1}
        await post(client, "/v1/tag-rules", name="加急", tag="urgent", where=urgent)
        await until_tagged(client, one, "urgent")
        await post(client, f"/v1/tickets/{ticket['id']}/solve")
        await until_tagged(client, one)


async def test_killed_in_the_middle_each_contact_is_tagged_once(on_embedded: Relata) -> None:
    """By an evaluation that dies twice, and by orders that are told of meanwhile."""
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Killed")) as client:
        content = "\n".join(["姓名,来源", *(f"王{n},fair" for n in range(ROWS))]).encode()
        await imported(client, content)
        bought = {"field": "orders.count", "op": "gte", "value": 1}
        await post(client, "/v1/tag-rules", name="x", tag="bought", where=bought)
        await post(client, "/v1/tag-rules", name="x", tag="fair", where=FROM_FAIR)
        customers = (await client.get("/v1/contacts", params={"limit": "40"})).json()["data"]
        seen: list[int] = []
        for number, customer in enumerate(customers):
            total = {"amount": "1.00", "currency": "CNY"}
            await post(client, "/v1/orders", number=str(number), contact_id=customer["id"], total=total, status="paid")
            if number in (5, 20):
                seen.append((await client.get("/v1/tag-rules/evaluation")).json()["evaluated"])
                await on_embedded.stack.restart("contacts")
        assert seen[0] < ROWS, "it was killed too late to tell anything"
        async with asyncio.timeout(120):
            while True:
                answer = await client.get("/v1/tag-rules/evaluation")
                if answer.status_code == 200 and not answer.json()["pending"]:
                    break
                await asyncio.sleep(0.1)
        buyers = {customer["id"] for customer in customers}
        for customer in customers:
            await until_tagged(client, customer["id"], "bought", "fair")
        params = {"limit": "200"}
        while params.get("cursor", "") is not None:
            page = (await client.get("/v1/contacts", params=params)).json()
            for each in page["data"]:
                is_buyer = each["id"] in buyers
                assert sorted(each["tags"]) == (["bought", "fair"] if is_buyer else ["fair"])
                assert each["version"] in ((2, 3) if is_buyer else (2,))
            params["cursor"] = page["next_cursor"]
