"""A short `make chaos`: real processes under fire on both event logs, and the bugs that the checker must find."""

import pytest
from crm_local.configuration import Bus
from crm_testkit.chaos.planted import BUGS, programs
from crm_testkit.chaos.rounds import chaos_stack, play

pytestmark = pytest.mark.long


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bus", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
async def test_whatever_fails_every_acknowledged_write_takes_effect_once_and_in_order(bus: Bus) -> None:
    async with chaos_stack(bus) as arena:
        outcome = await play(arena, "short", faults=6, writes=800)
    assert not outcome.anomalies, f"make chaos BUS={bus} SEED={outcome.seed}\n{outcome}"
    assert outcome.acknowledged >= 800
    assert len(outcome.faults) == 6


_QUICK = ("publish-before-commit", "position-before-effect")
"""One of those who publish and one of those who consume, with every `make test`."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [name if name in _QUICK else pytest.param(name, marks=pytest.mark.slow) for name in BUGS]
)
async def test_a_planted_bug_is_found(name: str) -> None:
    bug = BUGS[name]
    async with chaos_stack("embedded", programs(name)) as arena:
        for seed in range(8):
            faults = 6 if bug.faults else 0
            outcome = await play(arena, f"{name}/{seed}", faults=faults, writes=500, only=bug.faults, settled=4)
            if outcome.anomalies:
                return
    pytest.fail(f"eight rounds, and the checker found nothing of the bug {name}")
