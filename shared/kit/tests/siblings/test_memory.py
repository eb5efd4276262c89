"""Memory that forked processes share, and who may touch it at a time."""

import multiprocessing
import os
import signal

import pytest
from crm_kit.siblings.memory import Arena, Guard

_FORKING = multiprocessing.get_context("fork")


def test_a_region_is_the_same_wherever_it_is_asked_for() -> None:
    guard = Guard()
    arena = Arena(64 * 1024, guard)

    def child() -> None:
        arena.region("made by the child", 10)[0] = 7
        arena.region("both", 5000).cast("q")[624] = 42

    process = _FORKING.Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert arena.region("both", 5000).cast("q")[624] == 42
    assert arena.region("made by the child", 10)[0] == 7
    assert bytes(arena.region("another", 5000)) == bytes(5000)
    with pytest.raises(MemoryError):
        arena.region("too large", 64 * 1024)


def test_nothing_is_lost_between_processes() -> None:
    guard, each, processes = Guard(), 5_000, 4
    count = Arena(4096, guard).region("count", 8).cast("q")

    def child() -> None:
        for _ in range(each):
            with guard:
                count[0] += 1

    started = [_FORKING.Process(target=child) for _ in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert count[0] == each * processes


def test_who_is_killed_with_the_guard_stops_nobody() -> None:
    guard = Guard()

    def killed() -> None:
        guard.__enter__()
        os.kill(os.getpid(), signal.SIGKILL)

    def other() -> None:
        for _ in range(1_000):  # it is waited for once, not each time
            with guard:
                pass

    for target, code in ((killed, -signal.SIGKILL), (other, 0)):
        process = _FORKING.Process(target=target, daemon=True)
        process.start()
        process.join(60)
        assert process.exitcode == code
