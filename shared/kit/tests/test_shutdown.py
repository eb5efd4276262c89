"""Work in hand is finished when its task is cancelled, and given up when it is cancelled again."""

import asyncio

import pytest
from crm_kit.shutdown import Shutdown, end_tasks, finish


async def test_what_was_begun_is_finished_and_nothing_else_is_begun() -> None:
    rounds: list[str] = []

    async def work() -> None:
        rounds.append("begun")
        await asyncio.sleep(0.05)
        rounds.append("finished")

    async def repeat() -> None:
        while True:
            await finish(work())

    task = asyncio.create_task(repeat())
    await asyncio.sleep(0.01)
    await end_tasks([task], 5)
    assert task.cancelled()
    assert rounds == ["begun", "finished"]


async def test_a_second_cancellation_reaches_the_work() -> None:
    undone = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            undone.set()

    task = asyncio.create_task(finish(work()))
    await asyncio.sleep(0.01)
    await end_tasks([task], 0.1)
    assert task.cancelled()
    assert undone.is_set()


async def test_results_and_errors_pass_through() -> None:
    assert await finish(asyncio.sleep(0, "done")) == "done"

    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await finish(fail())


def test_who_asks_twice_does_not_wait_for_load_balancers() -> None:
    shutdown = Shutdown(delay=60, grace=10)
    assert (shutdown.asked, shutdown.is_due, shutdown.left()) == (False, False, 10)
    shutdown.ask()
    assert (shutdown.asked, shutdown.is_due) == (True, False)
    shutdown.ask()
    assert shutdown.is_due
    assert 9 < shutdown.left() <= 10
