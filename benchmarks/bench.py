"""`make bench`: the whole stack beside its references in one run, at several sizes of data.

Every operation is driven in turns with each of its references, so that the machine's drift meets both alike; a ratio is the
median of the rounds'. CPU is of the stack's processes and PostgreSQL together. The table goes to standard output, `--report`
names a JSON file, `--page` the page whose table and plot are renewed.
"""

import argparse
import asyncio
import json
import platform
import statistics
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from crm_kit.http.principal import Principal, TokenMint
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.soak.memory import proportional_mb
from dataset import Dataset, Filler
from event_path import event_path
from freshness import freshness, stack_with_commit_times
from idle import idle_stack
from imports import compared
from load import Outcome, drive
from operations import Operation, Operations, ReferenceName, Requests
from references import References, fill_references, running_references
from report import table, write_page
from settling import caught_up, quiet
from writes import cpu_seconds

_IMPORTED_ROWS = 100_000
_CUSTOMERS, _EVENTS = 2_000, 60_000
"""On the event path."""


class Used(NamedTuple):
    """CPU seconds a request: of all processes, and PostgreSQL's among them."""

    all: float
    postgres: float


class Bench:
    """One stack and its references; `rows` is what was measured."""

    def __init__(self, stack: LocalStack, references: References, seconds: float, rounds: int) -> None:
        self._stack = stack
        self._references = references
        self._seconds = seconds
        self._rounds = rounds
        self.rows: list[dict[str, Any]] = []

    async def operation(
        self, operation: Operation, references: dict[ReferenceName, Callable[[], Requests]], size: int
    ) -> None:
        """Measures it in turns with what it is set against."""
        turns: list[tuple[Outcome, Used, dict[ReferenceName, float]]] = []
        per_request = operation.make().per_request
        for _ in range(self._rounds):
            others = {}
            for name in operation.against:
                bare, _ = await self._drive(references[name](), operation, self._references.pids)
                others[name] = bare.requests_per_second
            mine, cpu = await self._drive(operation.make(), operation, self._stack.pids)
            if operation.writes:
                await caught_up(self._stack)
            turns.append((mine, cpu, {name: mine.requests_per_second / other for name, other in others.items()}))
        turns.sort(key=lambda turn: turn[0].requests_per_second)
        mine, cpu, _ = turns[len(turns) // 2]
        row = {
            "operation": operation.name,
            "contacts": size,
            **{name: round(value, 3) for name, value in asdict(mine).items()},
            "per_second": round(mine.requests_per_second * per_request, 1),
            "cpu_ms": round(cpu.all * 1000 / per_request, 3),
            "postgres_ms": round(cpu.postgres * 1000 / per_request, 3),
            "ratios": {
                name: round(statistics.median(turn[2][name] for turn in turns), 3) for name in operation.against
            },
            "aims": operation.aims,
            "rate_aim": operation.rate_aim,
            "p95_aim": operation.p95_aim,
        }
        self.rows.append(row)
        print(json.dumps(row, ensure_ascii=False), flush=True)

    async def _drive(self, asked: Requests, operation: Operation, pids: dict[str, int]) -> tuple[Outcome, Used]:
        watched = {**pids, "postgres": self._stack.pids["postgres"]}
        await drive(asked.url, asked.requests, connections=operation.connections, seconds=0.5, warm_up=False)
        before = cpu_seconds(watched)
        outcome = await drive(
            asked.url,
            asked.requests,
            connections=operation.connections,
            seconds=self._seconds * operation.times_as_long,
            warm_up=False,
        )
        spent = cpu_seconds(watched)
        spent.subtract(before)
        postgres = sum(seconds for name, seconds in spent.items() if name.startswith("postgres"))
        requests = max(1, outcome.requests)
        return outcome, Used(spent.total() / requests, postgres / requests)


def _internal_tokens(stack: LocalStack) -> Callable[[], str]:
    """Of a caller that may read and write everything of the demo tenant, at the services."""
    path = Path(stack.environment_of("gateway")["SIGNING_KEY_FILE"])
    mint = TokenMint.from_file(str(path))
    principal = Principal("bench", str(stack.dev["tenant_id"]), scopes=frozenset({"read", "write"}))
    return lambda: mint.token(principal)


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(temporary_run_dir())
        result: dict[str, Any] = {"machine": _machine(), "make run": await idle_stack()}
        stack = await opened.enter_async_context(stack_with_commit_times(Configuration(run_dir=folder)))
        print(json.dumps(result, ensure_ascii=False), flush=True)
        headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
        client = await opened.enter_async_context(
            httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=60)
        )
        references = await opened.enter_async_context(running_references(stack))
        bench, filler = Bench(stack, references, chosen.seconds, chosen.rounds), Filler(stack, client)
        for size in sorted(chosen.contacts):
            dataset = await filler.fill(size)
            await fill_references(stack)
            await quiet(stack)
            await _at(bench, stack, references, dataset, chosen.only)
            if not chosen.only:
                for kind in ("create", "patch"):
                    fresh = await freshness(client, rate=200, seconds=15, kind=kind, commits_of=stack)
                    result.setdefault("to view at 200 writes/s, ms", {})[f"{kind}, {size}"] = fresh
        if not chosen.only:
            result["import"] = await compared(stack, client, _IMPORTED_ROWS)
        result["memory at the end, MB"] = {name: round(proportional_mb(pid)) for name, pid in stack.pids.items()}
    if not chosen.only:
        result["event path"] = await event_path("kafka", _CUSTOMERS, _EVENTS)
    return result | {"rows": bench.rows}


async def _at(bench: Bench, stack: LocalStack, references: References, dataset: Dataset, only: str) -> None:
    operations = Operations(stack, references, dataset, _internal_tokens(stack))
    for operation in operations.all():
        if only in operation.name:
            await bench.operation(operation, operations.references(), dataset.size)


def _machine() -> str:
    memory = round(psutil.virtual_memory().total / 2**30)
    return f"{platform.machine()}, {psutil.cpu_count()} cores, {memory} GiB, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=4, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="operations whose name has this in it")
    parser.add_argument("--report", type=Path, help="a file for the figures, as JSON")
    parser.add_argument("--page", type=Path, help="the page to renew, docs/performance.md")
    chosen = parser.parse_args()
    result = asyncio.run(measure(chosen))
    print(table(result["rows"]))
    print(json.dumps({name: value for name, value in result.items() if name != "rows"}, indent=1, ensure_ascii=False))
    if chosen.report:
        chosen.report.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    if chosen.page:
        write_page(chosen.page, result)


if __name__ == "__main__":
    main()
