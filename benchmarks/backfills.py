"""A backfill of orders against a shop on this machine: how soon its pages are taken in, and how soon the orders stand here.

`python benchmarks/backfills.py --orders 10000 --kind shopify` starts a stack by itself. The shop answers at once, so that what is
measured is ours; a real Shopify gives two pages of 250 a second at most.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any, Final

import httpx
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.shop_server import ShopServer, running_shop
from crm_testkit.shops import ShopifyCustomer, shopify_order, woocommerce_order
from inbound import count
from writes import cpu_seconds

_CUSTOMERS: Final = 500


def fill(shop: ShopServer, orders: int) -> None:
    for number in range(1, orders + 1):
        who = 1 + number % _CUSTOMERS
        if shop.kind == "shopify":
            shop.put("orders", shopify_order(number, ShopifyCustomer(who, f"c{who}@example.com").payload()))
        else:
            order = woocommerce_order(number, who, f"c{who}@example.com")
            order["billing"]["phone"] = ""
            shop.put("orders", order)


async def measured(stack: LocalStack, shop: ShopServer, orders: int, mapped: bool) -> dict[str, Any]:
    fill(shop, orders)
    headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
    async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=60) as client:
        nothing = {topic: {"steps": []} for topic in ("orders/updated", "order.updated")}
        body = {"name": "Load", "kind": shop.kind, "pull": shop.pull, **({} if mapped else {"mappings": nothing})}
        source = (await client.post("/v1/inbound-sources", json=body)).json()
        path = f"/v1/inbound-sources/{source['id']}/backfills"
        before, began = cpu_seconds(stack.pids), time.perf_counter()
        run = (await client.post(path, json={"resources": ["orders"]})).json()
        fetched = None
        while run["status"] in ("pending", "running"):
            await asyncio.sleep(0.5)
            run = (await client.get(f"{path}/{run['id']}")).json()
            if fetched is None and run["resources"][0]["records"] >= orders:
                fetched = time.perf_counter() - began
        seconds = time.perf_counter() - began
        after = cpu_seconds(stack.pids)
        return {
            "kind": shop.kind,
            "orders": orders,
            "mapped": mapped,
            "status": run["status"],
            "outcomes": run["outcomes"],
            "pages": run["resources"][0]["pages"],
            "fetched within, s": round(fetched or seconds, 1),
            "all within, s": round(seconds, 1),
            "records a second": round(orders / seconds, 1),
            "orders here": await count(client, "/v1/orders"),
            "processor time each, ms": {
                name: round((after[name] - before[name]) / orders * 1000, 1)
                for name in sorted(after)
                if after[name] - before[name] > orders / 2000
            },
        }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--kind", choices=["shopify", "woocommerce"], default="shopify")
    parser.add_argument("--unmapped", action="store_true", help="nothing is made of them: what taking them in costs")
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    with temporary_run_dir() as folder:
        configuration = Configuration(run_dir=folder)
        async with LocalStack(configuration) as stack, running_shop(arguments.kind) as shop:
            report = await measured(stack, shop, arguments.orders, not arguments.unmapped)
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.report is not None:
        arguments.report.write_text(text + "\n")


if __name__ == "__main__":
    asyncio.run(main())
