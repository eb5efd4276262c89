"""`python -m crm_testkit.chaos`: many rounds, and a summary; exit code 1 where anything was found."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import cast

from crm_local.configuration import Bus

from crm_testkit.chaos.report import figures, summary
from crm_testkit.chaos.rounds import Outcome, chaos_stack, play

_ROUNDS_A_STACK = 10


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _run(bus: Bus, seeds: list[str], faults: int, writes: int, pause: float) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for start in range(0, len(seeds), _ROUNDS_A_STACK):
        async with chaos_stack(bus) as arena:
            for seed in seeds[start : start + _ROUNDS_A_STACK]:
                outcomes.append(await play(arena, seed, faults=faults, writes=writes, pause=pause))
                _say(f"{bus} {outcomes[-1]}")
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m crm_testkit.chaos", description=__doc__)
    parser.add_argument("--bus", choices=["embedded", "kafka", "both"], default="both")
    parser.add_argument("--seeds", type=int, default=50, help="how many rounds on each event log")
    parser.add_argument("--seed", help="one round only, from this seed, as a failed one was printed")
    parser.add_argument("--faults", type=int, default=4, help="in each round")
    parser.add_argument("--writes", type=int, default=2_000, help="acknowledged in each round, at least")
    parser.add_argument("--pause", type=float, default=12.0, help="seconds a process is stopped, at most")
    parser.add_argument("--report", type=Path, help="write the figures there as JSON")
    chosen = parser.parse_args()
    seeds = [chosen.seed] if chosen.seed else [str(number) for number in range(1, chosen.seeds + 1)]
    runs = []
    for bus in ["embedded", "kafka"] if chosen.bus == "both" else [chosen.bus]:
        outcomes = asyncio.run(_run(cast("Bus", bus), seeds, chosen.faults, chosen.writes, chosen.pause))
        runs.append(figures(bus, outcomes))
    for run in runs:
        _say(summary(run))
    if chosen.report:
        chosen.report.write_text(json.dumps(runs, indent=2) + "\n")
    sys.exit(1 if any(run["failed_seeds"] for run in runs) else 0)


if __name__ == "__main__":
    main()
