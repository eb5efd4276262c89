"""`make bench`: boot, memory, freshness, and the hot paths beside a bare FastAPI + asyncpg in the same run.

Each pair is driven in turns (reference, ours, reference, ours …) so that the machine's drift meets both alike.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

import asyncpg
import httpx
from crm_local.configuration import Configuration
from crm_local.ports import find_free_ports
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.soak.memory import proportional_mb
from freshness import freshness
from load import Outcome, drive, request_bytes

HERE = Path(__file__).parent
CONNECTIONS = 16


class Reference:
    """The bare application of reference.py, in a process of its own over the same PostgreSQL server."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        (self._port,) = find_free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> "Reference":
        server = self._stack.server_url
        connection = await asyncpg.connect(server)
        await connection.execute("create table reference_view (id text primary key, document jsonb not null)")
        await connection.execute("create table reference_contact (id bigserial primary key, name text not null)")
        await connection.execute("create table reference_outbox (id bigserial primary key, payload text not null)")
        self._connection = connection
        command = ["uvicorn", "--app-dir", str(HERE), "--port", str(self._port), "--no-access-log", "reference:app"]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *command,
            env={**os.environ, "REFERENCE_DATABASE_URL": server},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with httpx.AsyncClient() as client, asyncio.timeout(20):
            while True:
                try:
                    await client.get(f"{self.url}/openapi.json")
                    return self
                except httpx.TransportError:
                    await asyncio.sleep(0.1)

    async def store(self, key: str, document: str) -> None:
        await self._connection.execute("insert into reference_view values ($1, $2::jsonb)", key, document)

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()
        await self._process.wait()
        await self._connection.close()


async def in_turns(rounds: int, seconds: float, ours: tuple, reference: tuple) -> tuple[Outcome, Outcome, float]:  # type: ignore[type-arg]  # (url, make)
    """Median outcome of each and the median of the rounds' ratios."""
    pairs = []
    for _ in range(rounds):
        bare = await drive(*reference, connections=CONNECTIONS, seconds=seconds)
        mine = await drive(*ours, connections=CONNECTIONS, seconds=seconds)
        pairs.append((mine, bare))
    pairs.sort(key=lambda pair: pair[0].requests_per_second / pair[1].requests_per_second)
    mine, bare = pairs[len(pairs) // 2]
    return mine, bare, mine.requests_per_second / bare.requests_per_second


async def measure(seconds: float, rounds: int, bus: str) -> dict[str, object]:
    with temporary_run_dir() as folder:
        started = time.perf_counter()
        kafka = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
        async with LocalStack(Configuration(run_dir=folder, bus=bus, kafka=kafka)) as stack:  # type: ignore[arg-type]  # checked by the configuration
            result: dict[str, object] = {"bus": bus, "first boot to ready, s": round(time.perf_counter() - started, 2)}
            await asyncio.sleep(5)
            result["idle memory, MB"] = round(proportional_mb(os.getpid(), *stack.pids.values()), 0)
            result["idle memory by process, MB"] = {n: round(proportional_mb(p), 0) for n, p in stack.pids.items()}
            headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
            async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=30) as client:
                result["commit to view at 50 writes/s, ms"] = await freshness(client, rate=50, seconds=10, kind="patch")
                async with Reference(stack) as reference:
                    result |= await hot_paths(client, stack, reference, headers, seconds, rounds)
        again = time.perf_counter()
        async with LocalStack(Configuration(run_dir=folder, bus=bus, kafka=kafka)):  # type: ignore[arg-type]  # as above
            result["second boot to ready, s"] = round(time.perf_counter() - again, 2)
        return result


async def hot_paths(
    client: httpx.AsyncClient,
    stack: LocalStack,
    reference: Reference,
    headers: dict[str, str],
    seconds: float,
    rounds: int,
) -> dict[str, object]:
    gateway = stack.urls["gateway"]
    contact = (
        await client.post("/v1/contacts", json={"full_name": "王伟", "emails": [{"address": "w@example.com"}]})
    ).json()
    await client.post(
        "/v1/deals",
        json={"name": "年度框架", "contact_id": contact["id"], "amount": {"amount": "9.00", "currency": "CNY"}},
    )
    await asyncio.sleep(1)
    view = (await client.get(f"/v1/customers/{contact['id']}")).text
    await reference.store(contact["id"], view)
    read = request_bytes("GET", f"{gateway}/v1/customers/{contact['id']}", headers)
    bare_read = request_bytes("GET", f"{reference.url}/view/{contact['id']}", {})
    mine, bare, ratio = await in_turns(rounds, seconds, (gateway, lambda _: read), (reference.url, lambda _: bare_read))
    result: dict[str, object] = {
        "view read": str(mine),
        "bare read": str(bare),
        "view read / bare read": round(ratio, 2),
    }
    body = {**headers, "Content-Type": "application/json"}

    def create(number: int) -> bytes:
        content = json.dumps(
            {"full_name": f"客户 {number}", "emails": [{"address": f"c{number}@example.com"}]}
        ).encode()
        return request_bytes("POST", f"{gateway}/v1/contacts", body, content)

    def bare_create(number: int) -> bytes:
        content = json.dumps(
            {"full_name": f"客户 {number}", "emails": [{"address": f"c{number}@example.com"}]}
        ).encode()
        return request_bytes("POST", f"{reference.url}/contact", {"Content-Type": "application/json"}, content)

    mine, bare, ratio = await in_turns(rounds, seconds, (gateway, create), (reference.url, bare_create))
    return result | {"contact create": str(mine), "bare create": str(bare), "create / bare create": round(ratio, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bus", choices=["embedded", "kafka"], default="embedded")
    chosen = parser.parse_args()
    result = asyncio.run(measure(chosen.seconds, chosen.rounds, chosen.bus))
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
