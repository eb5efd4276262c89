"""Who writes through a gateway and reads there at once finds the write, without knowing of tokens."""

import asyncio

import httpx
from crm_testkit.whole_stack import Relata


async def _until_the_consumers_have_begun(client: httpx.AsyncClient) -> None:
    contact = (await client.post("/v1/contacts", json={"full_name": "李娜"})).json()
    async with asyncio.timeout(30):
        while (await client.get(f"/v1/customers/{contact['id']}")).status_code != 200:
            pass


async def test_a_read_right_after_the_write_contains_it(relata: Relata) -> None:
    client = relata.client
    await _until_the_consumers_have_begun(client)
    for number in range(20):
        contact = (await client.post("/v1/contacts", json={"full_name": f"即时 {number}"})).json()
        view = (await client.get(f"/v1/customers/{contact['id']}")).json()
        assert view["profile"] == contact

        deal = (await client.post("/v1/deals", json={"name": "框架", "contact_id": contact["id"]})).json()
        body = {"kind": "call", "direction": "inbound", "at": "2026-10-02T08:00:00Z", "contact_id": contact["id"]}
        activity = (await client.post("/v1/activities", json=body)).json()
        view = (await client.get(f"/v1/customers/{contact['id']}?include=sales,timeline")).json()
        assert [each["id"] for each in view["sales"]["open_deals"]] == [deal["id"]]
        assert activity["id"] in [entry["ref"]["id"] for entry in view["timeline"]]

        assert (await client.delete(f"/v1/contacts/{contact['id']}")).status_code == 204
        assert (await client.get(f"/v1/customers/{contact['id']}")).status_code == 404
