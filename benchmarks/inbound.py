"""Inbound deliveries at a steady rate: how long until each is accepted, how soon it is processed, and that none is lost.

`python benchmarks/inbound.py --deliveries 10000 --rate 200` starts a stack by itself. Open loop: a delivery goes out when its
time has come, however slow the one before. `--kill` ends the gateway and PostgreSQL by SIGKILL on the way; what is not
acknowledged is sent again, as a shop does. `--alone`: of each delivery only its order is made, which takes a third of the work.
"""

import argparse
import asyncio
import json
import math
import statistics
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, Final

import aiohttp
import httpx
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.shops import ShopifyCustomer, as_sent, shopify_headers, shopify_order
from writes import cpu_seconds

_CUSTOMERS: Final = 500
_ORDER_ALONE: Final = {
    "resource": "orders",
    "external_id": "to_string(id)",
    "at": "updated_at",
    "set": {
        "number": "name",
        "status": "'pending'",
        "placed_at": "timestamp(created_at)",
        "total": "money(total_price, currency)",
    },
}
_PATIENCE_SECONDS: Final = 120.0


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Sender:
    """Of one source; `accepted`: milliseconds of each that was taken at the first attempt."""

    def __init__(self, session: aiohttp.ClientSession, url: str, secret: str, topic: str) -> None:
        self._session, self._url, self._secret, self._topic = session, url, secret, topic
        self.accepted: list[float] = []
        self.again = 0
        self.ids: set[str] = set()

    async def send(self, number: int) -> None:
        customer = ShopifyCustomer(number % _CUSTOMERS, f"c{number % _CUSTOMERS}@example.com").payload()
        body = as_sent(shopify_order(number, customer))
        headers = shopify_headers(self._secret, self._topic, body, str(uuid.uuid4()))
        end = time.monotonic() + _PATIENCE_SECONDS
        first = True
        while time.monotonic() < end:
            began = time.perf_counter()
            try:
                async with self._session.post(self._url, data=body, headers=headers) as answer:
                    document = await answer.read()
                    if answer.status == 200:
                        if first:
                            self.accepted.append((time.perf_counter() - began) * 1000)
                        self.ids.add(json.loads(document)["delivery_id"])
                        return
            except aiohttp.ClientError:
                pass
            first = False
            self.again += 1
            await asyncio.sleep(0.2)
        raise RuntimeError(f"delivery {number} was not taken within {_PATIENCE_SECONDS:g} s")


async def sent(sender: Sender, count: int, rate: float) -> float:
    """Sends them at the rate; seconds until the last was taken."""
    began = time.perf_counter()
    sending: set[asyncio.Task[None]] = set()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        task = asyncio.create_task(sender.send(number))
        sending.add(task)
        task.add_done_callback(sending.discard)
    await asyncio.gather(*list(sending))
    return time.perf_counter() - began


async def processed(client: httpx.AsyncClient) -> Counter[str]:
    """By status, once none is on its way."""
    while True:
        try:
            waiting = await client.get("/v1/inbound-deliveries", params={"status": "received", "limit": 1})
            if waiting.status_code == 200 and not waiting.json()["data"]:
                break
        except httpx.TransportError:
            pass
        await asyncio.sleep(1)
    found: Counter[str] = Counter()
    cursor: str | None = ""
    while cursor is not None:
        page = await client.get(
            "/v1/inbound-deliveries", params={"limit": 200, **({"cursor": cursor} if cursor else {})}
        )
        found.update(one["status"] for one in page.json()["data"])
        cursor = page.json()["next_cursor"]
    return found


async def count(client: httpx.AsyncClient, path: str) -> int:
    total, cursor = 0, ""
    while cursor is not None:
        page = (await client.get(path, params={"limit": 200, **({"cursor": cursor} if cursor else {})})).json()
        total += len(page["data"])
        cursor = page["next_cursor"]
    return total


async def killing(stack: LocalStack) -> None:
    for name in ("gateway", "postgres", "gateway"):
        await asyncio.sleep(5)
        stack.kill(name)


def per_delivery(before: Counter[str], after: Counter[str], deliveries: int) -> dict[str, float]:
    """Of each process the milliseconds that a delivery took, acceptance and processing together."""
    return {
        name: round((after[name] - before[name]) / deliveries * 1000, 1)
        for name in sorted(after)
        if after[name] - before[name] > deliveries / 2000
    }


async def measured(stack: LocalStack, arguments: argparse.Namespace) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
    async with (
        httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=60) as client,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session,
    ):
        body: dict[str, Any] = {"name": "Load", "kind": "shopify"}
        if arguments.alone:
            body["mappings"] = {arguments.topic: {"steps": [_ORDER_ALONE]}}
        source = (await client.post("/v1/inbound-sources", json=body)).json()
        sender = Sender(session, stack.urls["gateway"] + source["path"], source["secret"], arguments.topic)
        deaths = asyncio.create_task(killing(stack)) if arguments.kill else None
        before = cpu_seconds(stack.pids)
        seconds = await sent(sender, arguments.deliveries, arguments.rate)
        if deaths is not None:
            await deaths
        statuses = await processed(client)
        spent = {} if arguments.kill else per_delivery(before, cpu_seconds(stack.pids), arguments.deliveries)
        orders = await count(client, "/v1/orders")
        return {
            "deliveries": arguments.deliveries,
            "rate": arguments.rate,
            "sent within, s": round(seconds, 1),
            "accept p50, ms": round(statistics.median(sender.accepted), 2),
            "accept p99, ms": round(percentile(sender.accepted, 0.99), 2),
            "accept max, ms": round(max(sender.accepted), 1),
            "sent again": sender.again,
            "acknowledged": len(sender.ids),
            "by status": dict(statuses),
            "orders": orders,
            "CPU, ms a delivery": spent,
        }


async def main(arguments: argparse.Namespace) -> None:
    with temporary_run_dir() as folder:
        async with LocalStack(Configuration(run_dir=Path(folder), port_base=arguments.port_base)) as stack:
            began = time.perf_counter()
            result = await measured(stack, arguments)
            result["all processed after, s"] = round(time.perf_counter() - began, 1)
    print(json.dumps(result, indent=2))  # its whole purpose


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--port-base", type=int, default=None)
    parser.add_argument(
        "--topic", default="orders/create", help="of one without a mapping all are parked: acceptance alone"
    )
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--kill", action="store_true")
    asyncio.run(main(parser.parse_args()))
