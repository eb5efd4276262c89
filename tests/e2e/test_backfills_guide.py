"""The guide's examples do what it says."""

import httpx
from crm_testkit.guides import Example, examples, guide, tried
from crm_testkit.jobs import ended
from crm_testkit.shop_server import running_shop
from crm_testkit.shops import ShopifyCustomer, shopify_order
from crm_testkit.whole_stack import Relata


def _of(example: Example, names: dict[str, str]) -> Example:
    """Ids stand in the answer, too."""
    return example._replace(answer={name: names.get(str(value), value) for name, value in example.answer.items()})


async def test_the_guide_says_what_happens(on_embedded: Relata) -> None:
    source, start, read, resume = list(examples(guide("backfills.md")))
    async with (
        on_embedded.client_of(await on_embedded.new_tenant_key("Guide")) as client,
        running_shop("shopify") as shop,
    ):
        made = await tried(client, source)
        assert "credentials" not in made["pull"]
        shop.put("customers", *(ShopifyCustomer(n, f"c{n}@example.com").payload() for n in (1, 2)))
        shop.put("orders", *(shopify_order(n, shop.records["customers"][n]) for n in (1, 2)))
        moved = await client.patch(f"/v1/inbound-sources/{made['id']}", json={"pull": shop.pull})
        assert moved.status_code == 200, moved.text
        names = {"SOURCE": made["id"]}
        run = await tried(client, _of(start, names), names)
        names["RUN"] = run["id"]
        await ended(client, f"/v1/inbound-sources/{made['id']}/backfills/{run['id']}")
        await tried(client, _of(read, names), names)
        await tried(client, resume, names)


async def test_credentials_of_the_guide_s_shop_are_not_taken_elsewhere(on_embedded: Relata) -> None:
    source, *_ = examples(guide("backfills.md"))
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Guide")) as client:
        made: httpx.Response = await client.post(source.path, json={**source.body, "system": "other"})
        moved = await client.patch(
            f"/v1/inbound-sources/{made.json()['id']}", json={"pull": {"base_url": "https://example.com"}}
        )
        assert [(one["pointer"], one["code"]) for one in moved.json()["errors"]] == [("/pull/credentials", "required")]
