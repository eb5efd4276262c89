"""How a source is told to ask its shop: with credentials that only the shop sees, at addresses that may be asked, by who may."""

import base64
from typing import Any

import orjson
import pytest
from crm_testkit.backfills import SOURCES, Asking, asking_source
from crm_testkit.door import Door, Keyholder
from crm_testkit.shop_server import KEY, TOKEN, running_shop
from crm_testkit.stand_in import Reply

Json = dict[str, Any]


@pytest.mark.parametrize("kind", ["shopify", "woocommerce"])
async def test_credentials_are_shown_to_the_shop_alone(kind: str, tenant: Keyholder, caplog: Any, capfd: Any) -> None:
    async with running_shop(kind) as shop:  # type: ignore[arg-type]  # one of both
        asking = await asking_source(tenant.client, shop)
        secrets = [TOKEN, *KEY, base64.b64encode(":".join(KEY).encode()).decode()]
        shop.faults.append(Reply(500))
        run = await asking.done()
        audit = await tenant.client.get("/v1/audit-log", params={"limit": 200})
        assert audit.status_code == 200
        told = [
            asking.source,
            (await tenant.client.get(f"{SOURCES}/{asking.source['id']}")).json(),
            (await tenant.client.patch(f"{SOURCES}/{asking.source['id']}", json={"pull": shop.pull})).json(),
            audit.json(),
            run,
            (await tenant.client.get(f"/v1/jobs/{run['job_id']}")).json(),
            (await tenant.client.get("/v1/inbound-deliveries")).json(),
        ]
        captured = capfd.readouterr()
        seen = orjson.dumps(told).decode() + caplog.text + captured.out + captured.err
        assert not [secret for secret in secrets if secret in seen]
        asked = str([one.headers for one in shop.stand_in.asked])
        assert any(secret in asked for secret in secrets)


async def test_credentials_do_not_move_to_another_host(shopify: Asking) -> None:
    moved = {"pull": {"base_url": "https://evil.example.com"}}
    refused = await shopify.client.patch(f"{SOURCES}/{shopify.source['id']}", json=moved)
    assert refused.status_code == 422, refused.text
    assert [(one["pointer"], one["code"]) for one in refused.json()["errors"]] == [("/pull/credentials", "required")]
    within = {"pull": {"base_url": f"{shopify.shop.url}/shop", "every_seconds": 3600}}
    changed = await shopify.client.patch(f"{SOURCES}/{shopify.source['id']}", json=within)
    assert changed.status_code == 200
    assert changed.json()["pull"] == {
        "base_url": f"{shopify.shop.url}/shop", "api_version": "2025-07",
        "resources": ["customers", "products", "orders"], "every_seconds": 3600,
    }  # fmt: skip
    gone = await shopify.client.patch(f"{SOURCES}/{shopify.source['id']}", json={"pull": None})
    assert gone.json()["pull"] is None
    refused = await shopify.client.post(shopify.path, json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "pull_missing")


@pytest.mark.parametrize(
    ("kind", "pull", "pointer"),
    [
        ("shopify", {"base_url": "https://10.0.0.1", "credentials": {"access_token": TOKEN}}, "/pull/base_url"),
        ("shopify", {"base_url": "http://shop.example.com", "credentials": {"access_token": TOKEN}}, "/pull/base_url"),
        ("shopify", {"base_url": "https://shop.example.com?x=1", "credentials": {"access_token": TOKEN}}, "/pull/base_url"),
        ("shopify", {"base_url": "https://a:b@shop.example.com", "credentials": {"access_token": TOKEN}}, "/pull/base_url"),
        ("shopify", {"base_url": "https://shop.example.com"}, "/pull/credentials"),
        ("shopify", {"base_url": "https://shop.example.com", "credentials": {"consumer_key": KEY[0]}}, ""),
        ("woocommerce", {"base_url": "https://shop.example.com", "credentials": {"consumer_key": KEY[0]}}, ""),
        ("erp", {"base_url": "https://shop.example.com", "credentials": {"access_token": TOKEN}}, ""),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_refused_when_it_is_written(
    tenant: Keyholder, kind: str, pull: Json, pointer: str
) -> None:
    answer = await tenant.client.post(SOURCES, json={"name": "Shop", "kind": kind, "pull": pull})
    assert answer.status_code == 422, answer.text
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


async def test_another_tenant_neither_starts_nor_sees_it(shopify: Asking, door: Door) -> None:
    for service in door.behind.values():
        service.reset(lambda _: Reply(404))
    run = await shopify.done()
    stranger = await door.tenant("Another")
    reader = await door.key(Keyholder("", "", shopify.client), "read")
    for path in (shopify.path, f"{shopify.path}/{run['id']}", f"/v1/jobs/{run['job_id']}"):
        assert (await stranger.client.get(path)).status_code == 404, path
        assert (await reader.get(path)).status_code == 200, path
    for path in (shopify.path, f"{shopify.path}/{run['id']}/resume", f"/v1/jobs/{run['job_id']}/cancel"):
        assert (await stranger.client.post(path, json={})).status_code == 404, path
    refused = await reader.post(shopify.path, json={})
    assert (refused.status_code, refused.json()["missing_permission"]) == (403, "admin")
