"""CPU milliseconds a write, by process: `python benchmarks/writes.py --rate 100`.

Drives single writes through the gateway at a steady rate, or as fast as they are answered (`--rate 0`), and reads what
each process of the stack, PostgreSQL's backends among them, has used meanwhile. CPU time, unlike wall-clock time, is much
the same on a busy machine. `--without-view` leaves the gateway's consumer out.
"""

import argparse
import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from load import at_rate, drive, numbered, percentile, request_bytes

_CONNECTIONS = 16
_WARM_UP_SECONDS = 3.0
_AFTER_SECONDS = 1.0  # for the events to get where they go


def cpu_seconds(pids: dict[str, int]) -> Counter[str]:
    """User and system time of each process so far, with its children; of PostgreSQL's by database or kind."""
    spent: Counter[str] = Counter()
    for name, pid in pids.items():
        process = psutil.Process(pid)
        for member in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                what = name if name != "postgres" else f"postgres: {_what(member)}"
                spent[what] += sum(member.cpu_times()[:2])
    return spent


def _what(member: psutil.Process) -> str:
    """`relata_contacts` of a backend's title `postgres: user database client …`, or what it calls itself."""
    title = " ".join(member.cmdline()).removeprefix("postgres: ").split()
    return title[0] if len(title) > 3 and "[local]" in title else " ".join(title[:2])


def creates(gateway: str, headers: dict[str, str]) -> list[bytes]:
    contact = {"full_name": "客户 #########", "emails": [{"address": "c#########@example.com"}]}
    keyed = {**headers, "Idempotency-Key": f"writes-{os.getpid()}-#########"}
    return [request_bytes("POST", f"{gateway}/v1/contacts", keyed, json.dumps(contact).encode())]


def patches(gateway: str, headers: dict[str, str], contacts: Sequence[str]) -> list[bytes]:
    body = json.dumps({"title": "T#########"}).encode()
    return [request_bytes("PATCH", f"{gateway}/v1/contacts/{contact}", headers, body) for contact in contacts]


async def requests_of(client: httpx.AsyncClient, kind: str) -> list[bytes]:
    """Creates of contacts, or patches of two hundred; numbered (`load.py`)."""
    gateway = str(client.base_url).rstrip("/")
    headers = {"Authorization": client.headers["Authorization"], "Content-Type": "application/json"}
    if kind == "create":
        return creates(gateway, headers)
    made = [await client.post("/v1/contacts", json={"full_name": f"客户 {n}"}) for n in range(200)]
    return patches(gateway, headers, [answered.json()["id"] for answered in made])


async def measure(stack: LocalStack, kind: str, rate: float, seconds: float, profile: str | None) -> None:
    gateway, numbers = stack.urls["gateway"], itertools.count()
    async with httpx.AsyncClient(
        base_url=gateway, headers={"Authorization": f"Bearer {stack.dev['api_key']}"}
    ) as client:
        requests = await requests_of(client, kind)
    await at_rate(gateway, numbered(requests, numbers), rate=rate or 50, seconds=_WARM_UP_SECONDS)
    recording = [_record(stack.pids[name], seconds, name) for name in profile.split(",")] if profile else []
    before = cpu_seconds(stack.pids)
    if rate:
        times = await at_rate(gateway, numbered(requests, numbers), rate=rate, seconds=seconds)
        writes = len(times)
        print(f"{rate:.0f} /s   p50 {percentile(times, 50):.1f} ms   p99 {percentile(times, 99):.1f} ms")
    else:
        outcome = await drive(gateway, requests, connections=_CONNECTIONS, seconds=seconds, warm_up=False)
        writes = outcome.requests
        print(outcome)
    await asyncio.sleep(_AFTER_SECONDS)
    used = {name: (spent - before[name]) / writes * 1000 for name, spent in cpu_seconds(stack.pids).items()}
    for name, each in sorted(used.items(), key=lambda item: -item[1]):
        if each >= 0.005:
            print(f"{name:40} {each:6.2f} ms")
    print(f"{f'{kind}, sum over {writes} writes':40} {sum(used.values()):6.2f} ms")
    for process in recording:
        process.wait()


def _record(pid: int, seconds: float, name: str) -> subprocess.Popen[bytes]:
    """py-spy, where it is installed: samples of what `name` does meanwhile, in collapsed stacks."""
    out = f"profile-{name}.txt"
    command = ["py-spy", "record", "-p", str(pid), "-d", str(int(seconds)), "-r", "500", "-f", "raw", "-o", out]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=100, help="writes a second; 0 for as many as are answered")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--kinds", default="create,patch")
    parser.add_argument("--without-view", action="store_true")
    parser.add_argument("--profile", help="processes to record with py-spy: gateway,contacts")
    chosen = parser.parse_args()
    programs = {}
    if chosen.without_view:
        programs["gateway"] = (sys.executable, "-m", "gateway", "serve", "--only", "api,timers")
    with temporary_run_dir() as folder:
        async with LocalStack(Configuration(run_dir=Path(folder)), programs=programs) as stack:
            await asyncio.sleep(2)
            for kind in chosen.kinds.split(","):
                await measure(stack, kind, chosen.rate, chosen.seconds, chosen.profile)


if __name__ == "__main__":
    asyncio.run(main())
