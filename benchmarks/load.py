"""The load generator: keep-alive connections, each sending its next request when it has its answer.

wrk where it is installed; else `python benchmarks/load.py`, processes of our own that speak raw HTTP/1.1. What the client
itself used of the processor is part of the outcome: near one core a process, it is the client that was measured.
"""

import argparse
import asyncio
import itertools
import json
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvloop

_HERE = Path(__file__).parent
NUMBER: Final = b"#########"
"""In a request: replaced by a number that no other request of the same `drive` has, nor any later one's."""

_WRK = shutil.which("wrk")
_PROCESSES = 2
_WARM_UP_SHARE = 0.15
_numbers = itertools.count()
_STRIDE = 10_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Requests a second, milliseconds to the answer, and the share of one core that the client took."""

    requests: int
    requests_per_second: float
    p50: float
    p95: float
    p99: float
    errors: int
    client_share: float

    def __str__(self) -> str:
        return f"{self.requests_per_second:8.0f} /s   p50 {self.p50:6.2f} ms   p99 {self.p99:6.2f} ms   errors {self.errors}"


def request_bytes(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    parts = urlsplit(url)
    lines = [f"{method} {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def drive(
    url: str, requests: Sequence[bytes], *, connections: int = 16, seconds: float = 4.0, warm_up: bool = True
) -> Outcome:
    """Sends the requests in turn, over and over, until the time is over; what warms up is not counted.

    `#########` in a request becomes a number of nine digits that is used once.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\0".join(requests))
        file.flush()
        if warm_up:
            await _run(url, file.name, connections, seconds * _WARM_UP_SHARE)
        return await _run(url, file.name, connections, seconds)


async def _run(url: str, file: str, connections: int, seconds: float) -> Outcome:
    processes = 1 if _WRK else min(_PROCESSES, connections)
    commands = [
        _wrk(url, file, connections, seconds) if _WRK else _ours(url, file, connections // processes, seconds)
        for _ in range(processes)
    ]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [
        await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        for command in commands
    ]
    told = []
    for process in running:
        out, err = await process.communicate()
        lines = [line[5:] for line in out.decode().splitlines() if line.startswith("JSON ")]
        if not lines:
            raise RuntimeError(f"the load generator failed: {out.decode()}{err.decode()}")
        told.append(json.loads(lines[0]))
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    worst = max(told, key=lambda one: one["p99"])
    requests, took = sum(one["requests"] for one in told), max(one["seconds"] for one in told)
    errors = sum(one["refused"] + one["broken"] for one in told)
    return Outcome(requests, requests / took, worst["p50"], worst["p95"], worst["p99"], errors, cpu / took / processes)


def _wrk(url: str, file: str, connections: int, seconds: float) -> list[str]:
    assert _WRK is not None
    length = f"{max(1, round(seconds))}s"
    first = str(next(_numbers) * _STRIDE % 1_000_000_000)
    script = str(_HERE / "wrk.lua")
    return [_WRK, "-t1", f"-c{connections}", f"-d{length}", "--timeout", "30s", "-s", script, url, "--", file, first]


def _ours(url: str, file: str, connections: int, seconds: float) -> list[str]:
    first = str(next(_numbers) * _STRIDE % 1_000_000_000)
    return [sys.executable, __file__, url, file, str(connections), str(seconds), first]


async def answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    start = lowered.find(b"content-length:")
    if start >= 0:
        await reader.readexactly(int(lowered[start + 15 : lowered.find(b"\r\n", start)]))
    elif b"transfer-encoding: chunked" in lowered:
        while (size := int((await reader.readline()).strip(), 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readline()
    return int(head[9:12])


async def _drive_here(url: str, requests: Sequence[bytes], connections: int, seconds: float, first: int) -> None:
    parts = urlsplit(url)
    numbers = itertools.count(first)
    times: list[float] = []
    refused = 0
    started = time.perf_counter()

    async def worker() -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**20)
        while (sent := time.perf_counter()) < started + seconds:
            number = next(numbers)
            writer.write(requests[number % len(requests)].replace(NUMBER, b"%09d" % number))
            refused += await answer(reader) >= 400
            times.append(time.perf_counter() - sent)
        writer.close()

    await asyncio.gather(*(worker() for _ in range(connections)))
    took = time.perf_counter() - started
    shares = {f"p{share}": percentile(times, share) * 1000 for share in (50, 95, 99)}
    told = {"requests": len(times), "seconds": took, **shares, "refused": refused, "broken": 0}
    print("JSON", json.dumps(told))


def numbered(requests: Sequence[bytes], numbers: Iterator[int]) -> Callable[[int], bytes]:
    """For `at_rate`: the requests in turn, each with its number."""

    def make(_: int) -> bytes:
        number = next(numbers)
        return requests[number % len(requests)].replace(NUMBER, b"%09d" % number)

    return make


async def at_rate(url: str, make: Callable[[int], bytes], *, rate: float, seconds: float) -> list[float]:
    """Milliseconds from when each request was due to its answer: an open model, without coordinated omission."""
    host, port = url.removeprefix("http://").split(":")
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    times: list[float] = []
    answers: Counter[int] = Counter()

    async def one(number: int, due: float) -> None:
        reader, writer = idle.pop() if idle else await asyncio.open_connection(host, int(port), limit=2**20)
        writer.write(make(number))
        answers[await answer(reader)] += 1
        times.append((time.perf_counter() - due) * 1000)
        idle.append((reader, writer))

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = start + number / rate
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(one(number, due))
    for _, writer in idle:
        writer.close()
    if refused := {status: count for status, count in answers.items() if status >= 400}:
        print(f"refused, by status: {refused}; each counts as a write below")
    return times


def percentile(values: Sequence[float], share: int) -> float:
    """The value that `share` percent lie below, of those that were measured."""
    return sorted(values)[len(values) * share // 100]


def main() -> None:
    parser = argparse.ArgumentParser(description="One process of the load generator; prints one line of JSON.")
    parser.add_argument("url")
    parser.add_argument("file", type=Path, help="requests, parted by NUL")
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("first", type=int, help="the number that replaces the first #########")
    chosen = parser.parse_args()
    requests = chosen.file.read_bytes().split(b"\0")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_drive_here(chosen.url, requests, chosen.connections, chosen.seconds, chosen.first))


if __name__ == "__main__":
    main()
