"""An event that no service understands, from the log to the public list and away again."""

import asyncio
from dataclasses import replace
from typing import Any

from crm_testkit.customer_world import World
from crm_testkit.whole_stack import Relata

LETTERS = "/v1/dead-letters"
RIGHTS = {f"{service}.rights" for service in ("gateway", "pipeline", "tickets", "campaigns")}
CONSUMERS = {"gateway.view", "campaigns.contacts", *RIGHTS}


async def test_a_letter_is_seen_replayed_and_discarded_through_the_gateway(on_embedded: Relata) -> None:
    client = on_embedded.client_of(await on_embedded.new_tenant_key("Letters"))
    async with client:
        world = World((await client.get("/v1/tenants")).json()["data"][0]["id"])
        contact = world.create("contact")
        [(topic, event)] = world.events
        await on_embedded.publish((topic, replace(event, type="crm.contacts.contact.created.v2")))

        letters: dict[str, Any] = {}
        async with asyncio.timeout(30):
            while letters.keys() != CONSUMERS:
                letters = {one["consumer"]: one for one in (await client.get(LETTERS)).json()["data"]}
        assert {one["key"] for one in letters.values()} == {contact["id"]}

        await on_embedded.publish((topic, event))  # a later event of the key, which passes
        async with asyncio.timeout(30):
            while (await client.get(f"/v1/customers/{contact['id']}")).status_code != 200:
                await asyncio.sleep(0.05)

        for letter in letters.values():
            path = f"{LETTERS}/{letter['id']}"
            assert (await client.get(path)).json()["headers"]["ce_type"] == "crm.contacts.contact.created.v2"
            headers = {"Idempotency-Key": letter["id"], "If-Match": '"1"'}
            first = await client.post(f"{path}/replay", headers=headers)
            assert (first.status_code, first.json()["outcome"]) == (200, "failed"), first.text
            again = await client.post(f"{path}/replay", headers=headers)
            assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
            stale = await client.delete(path, headers={"If-Match": '"1"', "Accept-Language": "zh-CN"})
            assert (stale.status_code, stale.json()["current_version"]) == (412, 2), stale.text
            assert stale.json()["detail"] == "当前版本为 2。"
            assert (await client.delete(path, headers={"If-Match": '"2"'})).status_code == 204
        assert (await client.get(LETTERS)).json() == {"data": [], "next_cursor": None}
