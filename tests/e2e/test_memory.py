"""Memory of a warm stack under thousands of requests; `make soak` is the same for an hour."""

import asyncio
import sys
from collections.abc import Mapping

from crm_local.configuration import PROCESSES
from crm_testkit.beside import beside
from crm_testkit.soak.memory import unique_mb
from crm_testkit.soak.traffic import Traffic
from crm_testkit.soak.verdict import Sample, theil_sen
from crm_testkit.whole_stack import Relata

_AT_ONCE = 12
_BOUND = 2000.0
"""Bytes a request: what comes to rest stays far below it, and whoever holds requests lies far above it."""


async def _send(traffic: Traffic, requests: int) -> None:
    """A quarter of them writes to entities that are there: what is made may cost memory, what is changed may not."""
    wanted = traffic.requests + requests

    async def client(number: int) -> None:
        while traffic.requests < wanted:
            await (traffic.write(growing=False) if number % 4 == 0 else traffic.read())

    await asyncio.gather(*(client(number) for number in range(_AT_ONCE)))


async def _growth(
    traffic: Traffic, pids: Mapping[str, int], *, warm_up: int, rounds: int, each: int
) -> dict[str, float]:
    """Bytes a request that each process has gained, by the slope over all rounds of `each` requests."""
    await _send(traffic, warm_up)
    lines: dict[str, list[Sample]] = {name: [] for name in pids}
    for _ in range(rounds):
        await _send(traffic, each)
        for name, pid in pids.items():
            lines[name].append((traffic.requests, unique_mb(pid)))
    return {name: theil_sen(line) * 1e6 for name, line in lines.items()}


async def test_memory_does_not_follow_the_number_of_requests_and_a_leak_would_be_seen(on_embedded: Relata) -> None:
    stack = on_embedded.stack
    keys = [await on_embedded.new_tenant_key(f"Soak {number}") for number in range(2)]
    async with Traffic(on_embedded.gateway_url, keys, "short") as traffic:
        await traffic.prepare(10)
        pids = {name: stack.pids[name] for name in PROCESSES}
        found = await _growth(traffic, pids, warm_up=2000, rounds=6, each=300)
        assert max(found.values()) < _BOUND, found

        start = (sys.executable, "-m", "crm_testkit.soak.leaking")
        async with beside(stack, "gateway", "serve", "--only", "api", start=start) as leaking:
            assert leaking.pid is not None
            traffic.through(f"http://127.0.0.1:{leaking.program.port}")
            leak = await _growth(traffic, {"leaking": leaking.pid}, warm_up=200, rounds=5, each=100)
        assert leak["leaking"] > _BOUND, f"a leak that was planted is not seen: {leak}, others {found}"
