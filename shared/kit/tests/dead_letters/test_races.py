"""A replay and the running consumer meet on one key, each time held at the worst moment."""

import asyncio
from typing import Any

from crm_contracts.ids import new_id
from crm_testkit.effects import Effects, event_of
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.writers import until

Lab = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""

_WAITING_FOR_A_LETTER = "select 1 from pg_locks where locktype = 'advisory' and not granted"


async def _somebody_waits_for_a_lock(parts: Parts) -> bool:
    return await parts.fetch(_WAITING_FOR_A_LETTER) != []


async def test_an_event_that_comes_while_its_key_is_replayed_does_not_wait_behind_nothing(
    lab: Lab, effects: Effects, parts: Parts
) -> None:
    """The replay has applied the only letter and not yet committed; the consumer still sees the letter."""
    async with lab("wait") as it:
        key = new_id("note")
        it.refused.add((key, 1))
        await it.publish(event_of(it.tenant.id, key, 1))
        [letter] = await it.wait_for_letters(1)
        it.refused.clear()
        gate = it.gates[key, 1] = asyncio.Event()
        replaying = asyncio.create_task(it.replay(letter))
        await it.at_gate.wait()
        await it.publish(event_of(it.tenant.id, key, 2))
        await until(lambda: _somebody_waits_for_a_lock(parts))
        gate.set()
        assert (await replaying)["outcome"] == "applied"
        await effects.wait(it.tenant.id, {key: 2})
        assert await effects.faults(it.tenant.id, {key: 2}) == {}
        assert await it.letters() == []


async def test_a_replay_that_comes_while_an_event_is_parked_takes_that_one_too(
    lab: Lab, effects: Effects, parts: Parts
) -> None:
    """The consumer has parked the second event and not yet committed, since another key's event holds its batch."""
    async with lab("wait") as it:
        key, other = new_id("note"), new_id("note")
        it.refused.add((key, 1))
        await it.publish(event_of(it.tenant.id, key, 1))
        [letter] = await it.wait_for_letters(1)
        it.refused.clear()
        gate = it.gates[other, 1] = asyncio.Event()
        while not it.at_gate.is_set():  # both in one batch: the log gives partitions as it likes
            await it.publish(event_of(it.tenant.id, key, 2), event_of(it.tenant.id, other, 1))
            await asyncio.sleep(0.2)
        replaying = asyncio.create_task(it.replay(letter))
        await until(lambda: _somebody_waits_for_a_lock(parts))
        gate.set()
        assert (await replaying)["outcome"] == "applied"
        await effects.wait(it.tenant.id, {key: 2, other: 1})
        assert await effects.faults(it.tenant.id, {key: 2, other: 1}) == {}

        async def nothing_is_left() -> bool:
            return await it.letters() == []

        await until(nothing_is_left)


async def test_two_replays_of_one_letter_apply_it_once(lab: Lab, effects: Effects, parts: Parts) -> None:
    async with lab("pass") as it:
        key = new_id("note")
        it.refused.add((key, 1))
        await it.publish(event_of(it.tenant.id, key, 1))
        [letter] = await it.wait_for_letters(1)
        it.refused.clear()
        gate = it.gates[key, 1] = asyncio.Event()
        path = f"/internal/dead-letters/{letter['id']}/replay"
        first = asyncio.create_task(it.tenant.client.post(path))
        await it.at_gate.wait()
        second = asyncio.create_task(it.tenant.client.post(path))
        await until(lambda: _somebody_waits_for_a_lock(parts))
        gate.set()
        assert [(await one).status_code for one in (first, second)] == [200, 404]
        assert await effects.faults(it.tenant.id, {key: 1}) == {}
