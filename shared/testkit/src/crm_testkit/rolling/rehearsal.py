"""An upgrade as the chart does it, and the way back, under load: what was asked, what went wrong, what was lost."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from crm_local.configuration import PROCESSES, Bus, Configuration
from crm_local.run_folder import temporary_run_dir

from crm_testkit.chaos.observed import SeenLog, verdicts
from crm_testkit.chaos.rounds import copies_in, kafka_of
from crm_testkit.rolling.fleet import ROLES, Fleet
from crm_testkit.rolling.integrator import Integrator
from crm_testkit.rolling.load import Load
from crm_testkit.rolling.release import Release
from crm_testkit.rolling.visitors import Asked, reading
from crm_testkit.stand_in import running_stand_in

_TENANTS: Final = 2
_WRITERS: Final = 1
_SETTLED_SECONDS: Final = 120.0
_BESIDE_SECONDS: Final = 2.0
"""Both releases of a role serve so long before the next role's turn, and are asked meanwhile."""


@dataclass(frozen=True, slots=True)
class Pass:
    """All processes from one release to another, service by service in this order."""

    name: str
    release: Release
    services: Sequence[str]


@dataclass(slots=True)
class Outcome:
    """`faults`: requests without an answer, or with an error of ours. `anomalies`: what no history explains."""

    passes: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    anomalies: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.faults or self.anomalies)


def passes(before: Release, after: Release, seed: str) -> list[Pass]:
    """There and back twice: with the gateway as the last and as the first, the services in drawn orders."""
    drawn = random.Random(seed)

    def ordered(*, gateway_first: bool) -> list[str]:
        services = [name for name in PROCESSES if name != "gateway"]
        drawn.shuffle(services)
        return ["gateway", *services] if gateway_first else [*services, "gateway"]

    return [
        Pass("upgrade, gateway last", after, ordered(gateway_first=False)),
        Pass("rollback, gateway first", before, ordered(gateway_first=True)),
        Pass("upgrade, gateway first", after, ordered(gateway_first=True)),
        Pass("rollback, gateway last", before, ordered(gateway_first=False)),
    ]


@asynccontextmanager
async def fleet_of(release: Release, bus: Bus) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(temporary_run_dir())
        kafka = await opened.enter_async_context(kafka_of(bus, folder / "kafka"))
        configuration = Configuration(folder / "run", bus=bus, kafka=kafka.bootstrap_servers if kafka else "")
        fleet = Fleet(configuration, release, copies_in(kafka))
        yield await opened.enter_async_context(fleet)


async def rehearse(fleet: Fleet, after: Release, planned: Sequence[Pass], say: Callable[[str], None]) -> Outcome:
    """Migrates to `after`, then makes each pass, all of it under load; what was written is checked behind each."""
    outcome, asked, load, log = Outcome(), Asked(), Load(fleet), SeenLog(fleet)
    await load.open(_TENANTS)
    async with running_stand_in() as receiver:
        integrator = Integrator(fleet, receiver, asked)
        await integrator.open()
        for number, one in enumerate(planned):
            started, requests = time.monotonic(), _requests(asked, load)
            async with load.writing(one.name, _WRITERS), reading(load, fleet.public_url, asked), integrator.importing():
                await load.until_written(50)
                if number == 0:
                    await _migrate(fleet, after, outcome, say)
                await _replace_all(fleet, one, log, say)
                await load.until_written(50)
            seconds = time.monotonic() - started
            found = await verdicts(fleet, load.told, None, [], _SETTLED_SECONDS, log)
            outcome.anomalies = [*map(str, found.anomalies), *await integrator.check(log, _SETTLED_SECONDS)]
            outcome.faults = [*load.faults, *asked.faults, *(f"{name} has ended by itself" for name in fleet.dead())]
            done = {"pass": one.name, "seconds": round(seconds), "requests": _requests(asked, load) - requests}
            outcome.passes.append({**done, "processes": len(PROCESSES) * len(ROLES)})
            outcome.figures |= {
                "acknowledged_writes": load.acknowledged,
                "answers": {str(status): count for status, count in sorted(asked.answers.items())},
                "degraded_live_views": asked.degraded,
                "imported_rows": integrator.rows,
                "webhooks": integrator.webhooks,
            }
            found_so_far = f"{len(outcome.faults)} faults, {len(outcome.anomalies)} anomalies"
            say(f"{outcome.passes[-1]}: {found_so_far}; so far {outcome.figures}")
            if not outcome.is_clean:
                break
    return outcome


async def _migrate(fleet: Fleet, after: Release, outcome: Outcome, say: Callable[[str], None]) -> None:
    """All of them before the first process: a hook of the chart."""
    started = time.monotonic()
    for name in PROCESSES:
        await fleet.migrate(name, after)
    outcome.figures["migration_seconds"] = round(time.monotonic() - started, 1)
    say(f"migrated in {outcome.figures['migration_seconds']} s, while the release before serves")
    await asyncio.sleep(_BESIDE_SECONDS)


async def _replace_all(fleet: Fleet, one: Pass, log: SeenLog, say: Callable[[str], None]) -> None:
    for name in one.services:
        for role in ROLES:
            await fleet.replace(name, role, one.release)
        say(f"{one.name}: {name}")
        await log.look()
        await asyncio.sleep(_BESIDE_SECONDS)


def _requests(asked: Asked, load: Load) -> int:
    return asked.answers.total() + sum(len(each.history.writes) for each in load.told.values())
