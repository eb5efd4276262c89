"""The guide's examples do what it says."""

import asyncio
import json

import httpx
from crm_testkit.guides import examples, guide, tried
from crm_testkit.shops import Shop
from crm_testkit.whole_stack import Relata


async def test_the_guide_says_what_happens(on_embedded: Relata) -> None:
    shopify, erp, patched, preview, rerun = list(examples(guide("inbound-webhooks.md")))
    key = await on_embedded.new_tenant_key("Guide")
    async with (
        on_embedded.client_of(key) as client,
        httpx.AsyncClient(base_url=on_embedded.gateway_url, timeout=60) as sender,
    ):
        for example in (shopify, erp):
            await tried(client, example)
        made = await client.post("/v1/inbound-sources", json={"name": "Leads", "kind": "generic"})
        shop, names = Shop(sender, made.json()), {"SOURCE": made.json()["id"]}
        await shop.standard({"event": "lead.made", "lead": {"key": 7, "who": "王伟"}})
        async with asyncio.timeout(30):
            while not (await client.get("/v1/inbound-deliveries", params={"status": "parked"})).json()["data"]:
                await asyncio.sleep(0.1)
        for example in (patched, preview, rerun):
            await tried(client, example, names)
        async with asyncio.timeout(30):
            while not (await client.get("/v1/contacts", params={"external_id": "generic:7"})).json()["data"]:
                await asyncio.sleep(0.1)


async def test_the_guide_s_batch_is_one_that_an_erp_may_send(on_embedded: Relata) -> None:
    """As a preview, since each list of it becomes what it says."""
    batch = json.loads(guide("inbound-webhooks.md").split("```json\n")[1].split("\n```")[0])
    key = await on_embedded.new_tenant_key("Guide")
    async with on_embedded.client_of(key) as client:
        made = await client.post("/v1/inbound-sources", json={"name": "U8", "kind": "erp"})
        answer = await client.post(f"/v1/inbound-sources/{made.json()['id']}/preview", json={"payload": batch})
        assert [one["resource"] for one in answer.json()["records"]] == [
            "accounts", "contacts", "products", "orders", "invoices", "payments"
        ]  # fmt: skip
        assert answer.json()["reason"] is None
