"""Whose view somebody is shown is in the audit log, by whichever way they ask."""

import asyncio
from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Access, Grant

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""

EVERYTHING: dict[str, Access] = dict.fromkeys(("open", "personal", "commercial", "private"), "write")
WAYS = [
    "{id}",
    "{id}?consistency=live",
    "{id}?include=profile",
    "{id}/timeline",
    "lookup?wechat={wechat}",
    "?kind=contact",
]


READERS: dict[str, tuple[dict[str, Access], bool]] = {
    "everything": (EVERYTHING, True),
    "persons": ({"open": "read", "personal": "read"}, False),
    "masked": ({"open": "read", "personal": "masked"}, False),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", READERS)
async def test_every_way_to_a_customer_is_told(stack: Stack, way: str, who: str) -> None:
    fields, admin = READERS[who]
    tenant, world = stack.tenant()
    wechat = f"wx-{tenant.id}"
    contact = world.create("contact", full_name="欧阳晓梅", wechat=wechat)["id"]
    await stack.publish(world)
    everybody = stack.gateway.tenant(tenant.id).client
    async with asyncio.timeout(30):
        while (await everybody.get(f"/v1/customers/{contact}")).status_code != 200:
            await asyncio.sleep(0.05)
    rights = Rights(UserId.new(), (), [Grant(frozenset(["*"]), frozenset(ACTIONS), "all", fields)], admin=admin)
    me = stack.gateway.tenant(tenant.id, rights=rights).client
    path = f"/v1/customers/{way.format(id=contact, wechat=wechat)}".replace("/?", "?")
    for _ in range(2):
        answer = await me.get(path)
        masked = who == "masked"
        assert answer.status_code == (404 if masked and "lookup" in way else 200), answer.text
    entries = await stack.gateway.tenant(tenant.id, scopes=frozenset({"admin", "read"})).read(
        "/internal/audit-log", action="read"
    )
    told = [(entry["actor"], entry["entity_id"], entry["service"]) for entry in entries["data"]]
    assert told == ([] if masked else [(rights.user_id, contact, "gateway")])
