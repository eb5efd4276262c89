"""`python -m crm_testkit.rolling --from REVISION`: upgrades that revision to the checkout and back; exit code 1 at a fault."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from crm_local.configuration import Bus
from crm_local.run_folder import temporary_run_dir

from crm_testkit.rolling.rehearsal import Outcome, fleet_of, passes, rehearse
from crm_testkit.rolling.release import CHECKOUT, release_of

_SHOWN = 20


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _run(revision: str, bus: Bus, seed: str, number: int) -> Outcome:
    with temporary_run_dir() as folder:
        before = await asyncio.to_thread(release_of, revision, folder / "before")
        async with fleet_of(before, bus) as fleet:
            return await rehearse(fleet, CHECKOUT, passes(before, CHECKOUT, seed)[:number], _say)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m crm_testkit.rolling", description=__doc__)
    parser.add_argument("--from", dest="revision", required=True, help="the release before, as git names it")
    parser.add_argument("--bus", choices=["embedded", "kafka"], default="embedded")
    parser.add_argument("--seed", default="1", help="of the orders of the services")
    parser.add_argument("--passes", type=int, default=4, help="of there, back, there and back again")
    parser.add_argument("--report", type=Path, help="write the figures there as JSON")
    chosen = parser.parse_args()
    outcome = asyncio.run(_run(chosen.revision, chosen.bus, chosen.seed, chosen.passes))
    figures = {"from": chosen.revision, "bus": chosen.bus, "passes": outcome.passes, **outcome.figures}
    figures |= {"faults": len(outcome.faults), "anomalies": len(outcome.anomalies)}
    for line in [*outcome.faults[:_SHOWN], *outcome.anomalies[:_SHOWN], json.dumps(figures, indent=2)]:
        _say(line)
    if chosen.report:
        chosen.report.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(0 if outcome.is_clean else 1)


if __name__ == "__main__":
    main()
