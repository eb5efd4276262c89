"""What docs/guides/searching.md shows."""

import asyncio
from typing import Any

from crm_testkit.guides import examples, guide, tried

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""


async def test_the_examples_do_what_the_guide_says(stack: Stack) -> None:
    tenant, world = stack.tenant()
    contact = world.create("contact", full_name="欧阳晓梅")
    await stack.publish(world)
    async with asyncio.timeout(30):
        while not (await tenant.client.get("/v1/customers", params={"q": "晓梅"})).json()["data"]:
            await asyncio.sleep(0.05)
    found, refused = examples(guide("searching.md"))
    [item] = (await tried(tenant.client, found))["data"]
    assert (item["id"], item["matched"]) == (contact["id"], [{"field": "name", "kind": "part"}])
    await tried(tenant.client, refused)
