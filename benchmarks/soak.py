"""`make soak`: does memory grow while a whole stack works for an hour?

`python benchmarks/soak.py --minutes 60 --rate 15 --bus embedded --report soak.json --plot docs/soak.svg`

All processes are real. So many writes a second and the same times 2.7 reads come from several tenants; in turns the writes
make new entities and change a fixed set alone, so that what follows the number of entities is told from what follows the
number of requests. The report has every sample and for each process a verdict; it is renewed every minute. Exit code 1:
a service grows by more than `--bound` MB an hour, was started anew, or an answer was not what it should be. In less than
half an hour caches still fill up and a verdict says little. `--contacts`: how many there are before it begins.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from crm_local.configuration import PROCESSES, Configuration
from crm_local.demo.mailbox import Mailbox
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.kafka_broker import RealKafka
from crm_testkit.soak.mailing import Mailing
from crm_testkit.soak.memory import Tables, sizes
from crm_testkit.soak.traffic import Traffic
from crm_testkit.soak.verdict import Sample, judge, theil_sen
from crm_testkit.whole_stack import new_tenant
from dataset import Filler
from soak_plot import plot

_TENANTS = 4
_CUSTOMERS = 50
"""Fixed ones, of each tenant."""
_READS_A_WRITE = 2.7
_SAMPLE_SECONDS = 5.0
_PHASES = 12
_AT_ONCE = 64
_KEPT_ERRORS = 20
_MAILINGS_A_PHASE = 4


@dataclass
class Soak:
    """One run's conditions and what has been seen so far."""

    bus: str
    minutes: float
    rate: float
    bound: float
    contacts: int
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    tables: dict[str, list[Sample]] = field(default_factory=dict)
    backends: list[tuple[float, int]] = field(default_factory=list)
    """How many clients PostgreSQL has had."""
    phases: list[tuple[float, float, bool]] = field(default_factory=list)
    """From, to, and whether entities were made."""
    errors: list[str] = field(default_factory=list)
    failed: int = 0
    late: int = 0
    """Requests left out since too many were under way."""
    started_anew: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    def fail(self, error: BaseException) -> None:
        self.failed += 1
        if len(self.errors) < _KEPT_ERRORS:
            self.errors.append(f"{self.now:.0f} s: {type(error).__name__} {error}")

    def report(self, traffic: Traffic) -> dict[str, Any]:
        return {
            "event_log": self.bus,
            "minutes": round(self.now / 60, 1),
            "writes_a_second": self.rate,
            "bound_mb_an_hour": self.bound,
            "contacts_before": self.contacts,
            "requests": traffic.requests,
            "answers": {str(status): count for status, count in sorted(traffic.answers.items())},
            "entities_made": traffic.created,
            "left_out": self.late,
            "failed": self.failed,
            "errors": self.errors,
            "started_anew": self.started_anew,
            "phases": [[round(start, 1), round(end, 1), growing] for start, end, growing in self.phases],
            "backends": [[round(at, 1), count] for at, count in self.backends],
            "processes": {name: self._of(line) for name, line in self.samples.items()},
            "tables_mb": {name: self._of(line) for name, line in self.tables.items()},
        }

    def _of(self, line: list[Sample]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if len(line) >= 8:
            found = {
                name: round(value, 2) if isinstance(value, float) else value
                for name, value in asdict(judge(line, self.bound)).items()
            }
            found["slope_while_entities_are_made"] = self._slope(line, growing=True)
            found["slope_while_none_are_made"] = self._slope(line, growing=False)
        return {**found, "samples": [[round(at, 1), round(size, 2)] for at, size in line]}

    def _slope(self, line: list[Sample], *, growing: bool) -> float | None:
        """MB an hour, the mean over such phases of the second half."""
        phases = [phase for phase in self.phases if phase[2] == growing and phase[0] >= self.now / 2 - 1]
        slopes = [theil_sen([sample for sample in line if start <= sample[0] < end]) for start, end, _ in phases]
        return round(sum(slopes) / len(slopes) * 3600, 2) if slopes else None


@asynccontextmanager
async def started(bus: str) -> AsyncIterator[tuple[LocalStack, dict[str, int]]]:
    """A fresh stack with a mailbox, and the ids of processes beside it that are sampled too."""
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(temporary_run_dir())
        mailbox = await opened.enter_async_context(Mailbox())
        beside: dict[str, int] = {}
        kafka = ""
        if bus == "kafka":
            broker = await asyncio.to_thread(RealKafka(folder / "kafka").start)
            opened.push_async_callback(asyncio.to_thread, broker.release)
            kafka = broker.bootstrap_servers
            java = [one.pid for one in psutil.Process().children(recursive=True) if one.name() == "java"]
            beside = dict(zip(["kafka"], java, strict=False))  # none where somebody else's broker is used
        environment = {
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mailbox.port), "MAIL_FROM": "Relata <crm@example.com>",
        }  # fmt: skip
        configuration = Configuration(run_dir=folder / "run", bus=bus, kafka=kafka)  # type: ignore[arg-type]  # checked by it
        yield await opened.enter_async_context(LocalStack(configuration, environment=environment)), beside


async def watch(soak: Soak, stack: LocalStack, beside: dict[str, int]) -> None:
    """Samples until cancelled."""
    first = stack.pids
    async with Tables(stack) as tables:
        while True:
            at, pids = soak.now, stack.pids
            soak.started_anew += [name for name, pid in pids.items() if pid != first[name]]
            first |= pids
            for name, size in (await asyncio.to_thread(sizes, {**pids, **beside})).items():
                soak.samples.setdefault(name, []).append((at, size))
            try:
                for name, size in (await tables.sizes()).items():
                    soak.tables.setdefault(name, []).append((at, size))
                soak.backends.append((at, await tables.backends()))
            except Exception as error:
                soak.fail(error)
            await asyncio.sleep(_SAMPLE_SECONDS)


class Driver:
    """An open model: requests come at their rate, whatever the answers take, unless too many are under way."""

    def __init__(self, soak: Soak, traffic: Traffic, mailing: Mailing) -> None:
        self._soak, self._traffic, self._mailing = soak, traffic, mailing
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """All phases, the odd ones without new entities."""
        length, start = self._soak.minutes * 60 / _PHASES, self._soak.now
        for phase in range(_PHASES):
            await self._phase(start + phase * length, start + (phase + 1) * length, growing=phase % 2 == 0)
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _phase(self, begins: float, ends: float, *, growing: bool) -> None:
        self._soak.phases.append((begins, ends, growing))
        rate = self._soak.rate * (1 + _READS_A_WRITE)
        writes = mailings = 0
        for number in range(int((ends - begins) * rate)):
            due = begins + number / rate
            await asyncio.sleep(max(0.0, due - self._soak.now))
            if growing and mailings < (due - begins) / (ends - begins) * _MAILINGS_A_PHASE:
                mailings += 1
                self._begin(self._mailing.send())
            if writes < number / (1 + _READS_A_WRITE):
                writes += 1
                self._begin(self._traffic.write(growing=growing))
            else:
                self._begin(self._traffic.read())

    def _begin(self, request: Coroutine[None, None, None]) -> None:
        if len(self._under_way) >= _AT_ONCE:
            request.close()
            self._soak.late += 1
            return
        task = asyncio.create_task(self._noted(request))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _noted(self, request: Coroutine[None, None, None]) -> None:
        try:
            await request
        except Exception as error:
            self._soak.fail(error)


async def tell(soak: Soak, traffic: Traffic, report: Path) -> None:
    """Renews the report every minute until cancelled."""
    while True:
        await asyncio.sleep(60)
        report.write_text(json.dumps(soak.report(traffic), ensure_ascii=False) + "\n")
        newest = ", ".join(f"{name} {line[-1][1]:.0f}" for name, line in soak.samples.items())
        print(f"{soak.now / 60:5.1f} min  {traffic.requests:9,} requests  MB: {newest}", flush=True)


async def filled(stack: LocalStack, contacts: int) -> None:
    if not contacts:
        return
    headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
    async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=60) as client:
        await Filler(stack, client).fill(contacts)


async def run(soak: Soak, report: Path, picture: Path | None) -> bool:
    """Whether nothing was found."""
    async with started(soak.bus) as (stack, beside):
        await filled(stack, soak.contacts)
        keys = [(await new_tenant(stack, f"Soak {number}"))[1] for number in range(_TENANTS)]
        async with (
            Traffic(stack.urls["gateway"], keys, "soak") as traffic,
            Mailing(stack.urls["gateway"], keys[0]) as mailing,
        ):
            await traffic.prepare(_CUSTOMERS)
            await mailing.prepare()
            soak.began = time.monotonic()
            beside_it = [
                asyncio.create_task(watch(soak, stack, beside)),
                asyncio.create_task(tell(soak, traffic, report)),
            ]
            try:
                await Driver(soak, traffic, mailing).run()
                for task in beside_it:
                    if task.done():
                        task.result()
            finally:
                for task in beside_it:
                    task.cancel()
                await asyncio.gather(*beside_it, return_exceptions=True)
                found = soak.report(traffic)
                report.write_text(json.dumps(found, ensure_ascii=False) + "\n")
    summary(found)
    if picture is not None:
        picture.write_text(drawn(found))
    services = [found["processes"][name] for name in PROCESSES]
    return not (any(one["grows"] for one in services) or soak.failed or soak.started_anew)


def drawn(found: dict[str, Any]) -> str:
    lines = {
        f"{name} ({one['slope']:+.1f} MB/h)": [(at / 60, size) for at, size in one["samples"]]
        for name, one in found["processes"].items()
    }
    title = (
        f"Memory (PSS) over {found['minutes']:.0f} minutes, {found['requests']:,} requests, {found['event_log']} log"
    )
    return plot(title, lines)


def summary(found: dict[str, Any]) -> None:
    print(f"{found['requests']:,} requests, {found['entities_made']:,} entities made, {found['failed']} failed,"
          f" {found['left_out']} left out, started anew: {found['started_anew'] or 'none'}")  # fmt: skip
    for error in found["errors"]:
        print(f"  {error}")
    for name, one in [*found["processes"].items(), *found["tables_mb"].items()]:
        print(f"{name:34} {one['first']:7.1f} → {one['last']:7.1f} MB, peak {one['peak']:7.1f}; second half {one['slope']:+7.2f} MB/h"
              f" (entities made {one['slope_while_entities_are_made']}, none made {one['slope_while_none_are_made']}),"
              f" quarter 2 to 4 {one['growth']:+6.2f} MB{'  GROWS' if one['grows'] and name in found['processes'] else ''}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bus", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=15, help="writes a second")
    parser.add_argument("--bound", type=float, default=8, help="MB an hour that a service may gain")
    parser.add_argument("--contacts", type=int, default=0, help="that there are before it begins")
    parser.add_argument("--report", type=Path, default=Path("soak.json"))
    parser.add_argument("--plot", type=Path, help="draw the sizes there, as SVG")
    parser.add_argument("--draw-only", action="store_true", help="draw an existing report")
    chosen = parser.parse_args()
    if chosen.draw_only:
        chosen.plot.write_text(drawn(json.loads(chosen.report.read_text())))
        return
    soak = Soak(chosen.bus, chosen.minutes, chosen.rate, chosen.bound, chosen.contacts)
    sys.exit(0 if asyncio.run(run(soak, chosen.report, chosen.plot)) else 1)


if __name__ == "__main__":
    main()
