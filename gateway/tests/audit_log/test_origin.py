"""The address that an entry names, where a proxy of ours stands before the gateway."""

from collections.abc import Callable

import pytest
from crm_kit.db.provision import ServiceUrls
from crm_testkit.door import running_door
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST


@pytest.mark.parametrize(("hops", "told"), [(0, "127.0.0.1"), (1, "203.0.113.9"), (2, "198.51.100.1")])
async def test_as_many_hops_are_believed_as_the_setting_says(
    hops: int,
    told: str,
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder, urls = tmp_path_factory.mktemp("gateway"), postgres_database("gateway")
    settings = {"trusted_proxy_hops": hops}
    async with running_door(
        MANIFEST, make_authenticator, urls, event_log_database(), folder, roles=["api"], **settings
    ) as door:
        tenant = await door.tenant()
        headers = {
            "X-Forwarded-For": "192.0.2.1, 198.51.100.1, 203.0.113.9",
            "Relata-Client-Address": "192.0.2.7",  # the gateway's own word to the services; nobody else's
        }
        made = await tenant.client.post("/v1/teams", json={"name": "East"}, headers=headers)
        assert made.status_code == 201
        await tenant.client.get("/v1/contacts", headers=headers)
        assert door.behind["contacts"].last.headers["relata-client-address"] == told
        entries = (await tenant.client.get("/v1/audit-log", params={"service": "gateway", "resource": "team"})).json()
        assert [one["address"] for one in entries["data"]] == [told]
