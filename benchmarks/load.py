"""A load generator: `connections` keep-alive connections, each sending its next request when it has its answer.

Raw HTTP/1.1 over asyncio streams, so that the client costs a fraction of what it measures.
"""

import asyncio
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Outcome:
    """Requests a second, and milliseconds to the answer."""

    requests_per_second: float
    p50: float
    p99: float
    errors: int

    def __str__(self) -> str:
        return f"{self.requests_per_second:8.0f} /s   p50 {self.p50:6.2f} ms   p99 {self.p99:6.2f} ms   errors {self.errors}"


def request_bytes(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    parts = urlsplit(url)
    lines = [f"{method} {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


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


async def drive(url: str, make: Callable[[int], bytes], *, connections: int, seconds: float) -> Outcome:
    """Sends `make(n)` for n = 0, 1, … until the time is over; the first tenth is not counted."""
    parts = urlsplit(url)
    numbers = itertools.count()
    times: list[float] = []
    errors = 0
    start = time.perf_counter()
    counted_from, end = start + seconds / 10, start + seconds

    async def worker() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**20)
        while (sent := time.perf_counter()) < end:
            writer.write(make(next(numbers)))
            status = await answer(reader)
            if sent >= counted_from:
                times.append(time.perf_counter() - sent)
                errors += status >= 400
        writer.close()

    await asyncio.gather(*(worker() for _ in range(connections)))
    cuts = statistics.quantiles(times, n=100)
    return Outcome(len(times) / (end - counted_from), cuts[49] * 1000, cuts[98] * 1000, errors)


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
