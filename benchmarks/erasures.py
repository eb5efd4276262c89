"""Erasures by a retention rule: how many a second through all services, and what ordinary reads, writes and an import notice of them.

By itself it starts a stack: `python benchmarks/erasures.py --erasures 5000`.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import httpx
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.passing_time import let_pass
from writes import cpu_seconds

_BATCH: Final = 500
_OTHERS: Final = 50
_PER_SECOND: Final = 20
_ALONE_SECONDS: Final = 30
_IMPORTED: Final = 2000


async def filled(client: httpx.AsyncClient, number: int, source: str) -> list[str]:
    """Contacts with an address, a number, a call and a deal each; their ids."""
    ids: list[str] = []
    for start in range(0, number, _BATCH):
        people = [
            {"full_name": f"王{n}", "source": source, "emails": [{"address": f"{source}.{n}@example.com"}],
             "phones": [{"number": f"+86138{n:08d}"}]}
            for n in range(start, min(start + _BATCH, number))
        ]  # fmt: skip
        made = await batch(client, "/v1/contacts", people)
        ids += made
        await batch(client, "/v1/activities", [{"kind": "call", "subject": "x", "contact_id": id_} for id_ in made])
        await batch(client, "/v1/deals", [{"name": "x", "contact_id": id_} for id_ in made])
    return ids


async def batch(client: httpx.AsyncClient, path: str, bodies: list[dict[str, Any]]) -> list[str]:
    operations = [{"method": "create", "data": body} for body in bodies]
    answer = await client.post(f"{path}/batch", json={"operations": operations})
    answer.raise_for_status()
    return [each["id"] for each in answer.json()["results"]]


class Beside:
    """Reads of customers and changes of contacts, some a second, whatever becomes of them."""

    def __init__(self, client: httpx.AsyncClient, ids: list[str]) -> None:
        self._client = client
        self._ids = ids
        self._taken: dict[str, list[float]] = {"read": [], "write": []}

    async def run(self, over: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
        """Until it is over."""
        self._taken = {"read": [], "write": []}
        work: set[asyncio.Task[None]] = set()
        began, number = time.perf_counter(), 0
        while not (number % _PER_SECOND == 0 and await over()):
            id_ = self._ids[number % len(self._ids)]
            for what in ("read", "write"):
                work.add(asyncio.create_task(self._one(what, id_, number)))
            number += 1
            await asyncio.sleep(max(0.0, began + number / _PER_SECOND - time.perf_counter()))
        await asyncio.gather(*work)
        return {what: _spread(taken) for what, taken in self._taken.items()}

    async def _one(self, what: str, id_: str, number: int) -> None:
        began = time.perf_counter()
        if what == "read":
            answer = await self._client.get(f"/v1/customers/{id_}")
        else:
            answer = await self._client.patch(f"/v1/contacts/{id_}", json={"title": str(number)})
        answer.raise_for_status()
        self._taken[what].append(time.perf_counter() - began)


def _spread(taken: list[float]) -> dict[str, float]:
    cuts = quantiles(taken, n=100)
    return {"requests": len(taken), "p50, ms": round(cuts[49] * 1000, 1), "p95, ms": round(cuts[94] * 1000, 1)}


async def imported(client: httpx.AsyncClient) -> float:
    """Seconds that an import takes."""
    content = "\n".join(["姓名,来源", *(f"李{n},file" for n in range(_IMPORTED))]).encode()
    began = time.perf_counter()
    answer = await client.post("/v1/imports", files={"file": ("people.csv", content)})
    answer.raise_for_status()
    while (await client.get(f"/v1/jobs/{answer.json()['job_id']}")).json()["status"] in ("pending", "running"):
        await asyncio.sleep(0.1)
    return round(time.perf_counter() - began, 1)


async def prepared(client: httpx.AsyncClient, number: int) -> str:
    """So many contacts, and a rule that erases them in a week; its path."""
    await filled(client, number, "goes")
    where = {"field": "source", "op": "eq", "value": "goes"}
    rule = {"resource": "contacts", "where": where, "counted_from": "created_at", "after_days": 1, "action": "erase"}
    answer = await client.post("/v1/retention-rules", json={"name": "x", "reason": "x", **rule})
    answer.raise_for_status()
    await asyncio.sleep(5)  # until what was written has been composed
    return answer.headers["location"]


async def week_passes(stack: LocalStack, client: httpx.AsyncClient) -> None:
    tenant_id = (await client.get("/v1/tenants")).json()["data"][0]["id"]
    await let_pass(stack.environment_of("contacts")["CONTACTS_DATABASE_URL"], tenant_id, timedelta(days=8))


async def is_through(client: httpx.AsyncClient, path: str) -> bool:
    """Whether the run has ended, and every service has given its receipts."""
    running = {"where": {"all": [{"field": "kind", "op": "eq", "value": "erasure"},
                                 {"field": "status", "op": "eq", "value": "running"}]}, "limit": 1}  # fmt: skip
    has_ended = (await client.get(path)).json()["last_run"] is not None
    return has_ended and not (await client.post("/v1/privacy-requests/search", json=running)).json()["data"]


async def by_themselves(stack: LocalStack, client: httpx.AsyncClient, number: int) -> dict[str, Any]:
    """With nothing beside them."""
    path = await prepared(client, number)
    spent = cpu_seconds(stack.pids)
    await week_passes(stack, client)
    began = time.perf_counter()
    while not await is_through(client, path):
        await asyncio.sleep(1)
    seconds = time.perf_counter() - began
    took = cpu_seconds(stack.pids) - spent
    return {
        "erasures": number,
        "erasures/s": round(number / seconds, 1),
        "CPU, ms an erasure": {name: round(each / number * 1000, 1) for name, each in took.items()},
    }


async def measured(stack: LocalStack, client: httpx.AsyncClient, number: int) -> dict[str, Any]:
    others = await filled(client, _OTHERS, "stays")
    path = await prepared(client, number)
    import_alone = await imported(client)
    beside, end = Beside(client, others), time.perf_counter() + _ALONE_SECONDS

    async def is_late() -> bool:
        return time.perf_counter() > end

    before = await beside.run(is_late)
    import_beside = asyncio.create_task(_after(10, imported(client)))
    await week_passes(stack, client)
    began = time.perf_counter()
    with_it = await beside.run(partial(is_through, client, path))
    seconds = time.perf_counter() - began
    end = time.perf_counter() + _ALONE_SECONDS
    after = await beside.run(is_late)
    return {
        "erasures": (await client.get(path)).json()["last_run"]["done"],
        "erasures/s": round(number / seconds, 1),
        "before": before,
        "beside the erasures": with_it,
        "after": after,
        f"import of {_IMPORTED} rows alone and beside, s": [import_alone, await import_beside],
    }


async def _after(seconds: float, work: Awaitable[float]) -> float:
    await asyncio.sleep(seconds)
    return await work


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--erasures", type=int, default=5_000)
    parser.add_argument(
        "--by-themselves", action="store_true", help="nothing beside them, and what each takes of the processors"
    )
    chosen = parser.parse_args()
    with temporary_run_dir() as folder:
        async with LocalStack(Configuration(run_dir=Path(folder))) as stack:
            headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
            async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=120) as client:
                measure = by_themselves if chosen.by_themselves else measured
                print(json.dumps(await measure(stack, client, chosen.erasures), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    asyncio.run(main())
