"""Webhooks to a fast receiver: deliveries a second, milliseconds from a change to its arrival, and what dead endpoints beside it
change: `python benchmarks/webhooks.py --events 20000 --rate 100 --seconds 20 --dead 50`.

The receiver is a process of its own that answers at once. Latency is from the event's `time`, some milliseconds before the
change's commit, to the moment at which the whole request has come. Half of the dead endpoints never answer, half answer 503.
"""

import argparse
import asyncio
import json
import multiprocessing
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any, Final

import httpx
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from load import at_rate, numbered, percentile, request_bytes
from settling import quiet
from writes import cpu_seconds

_TIME: Final = re.compile(rb'"time":"([^"]+)"')
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_BATCH: Final = 500


class _Receiver(asyncio.Protocol):
    """HTTP/1.1, as far as it is needed: `POST /hook` is noted and answered, `/silent` never, `/busy` by 503."""

    arrived: Final[list[float]] = []

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            found = _LENGTH.search(head)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST /silent"):
            return
        if head.startswith(b"POST /busy"):
            self._transport.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")
            return
        now = datetime.now(UTC)
        for moment in _TIME.findall(body):
            self.arrived.append((now - datetime.fromisoformat(moment.decode())).total_seconds() * 1000)
        self._transport.write(b"HTTP/1.1 204 Taken\r\n\r\n")


def _receive(pipe: Connection) -> None:
    """Serves until told to end; answers each other word with what has arrived since the last."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Receiver, "127.0.0.1", 0, backlog=500)
        pipe.send(server.sockets[0].getsockname()[1])
        while True:
            await asyncio.sleep(0.05)
            if pipe.poll():
                if pipe.recv() == "end":
                    return
                pipe.send(list(_Receiver.arrived))
                _Receiver.arrived.clear()

    asyncio.run(serve())


class Receiver:
    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url = f"http://127.0.0.1:{pipe.recv()}"

    async def arrived(self) -> list[float]:
        """Milliseconds from change to arrival of each event since this was asked last."""
        self._pipe.send("arrived")
        found: list[float] = await asyncio.to_thread(self._pipe.recv)
        return found


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_receive, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Receiver(ours)
    finally:
        ours.send("end")
        process.join(5)


async def subscribe(client: httpx.AsyncClient, url: str, **more: Any) -> str:
    answer = await client.post("/v1/webhook-endpoints", json={"url": url, "kinds": ["contact.created"], **more})
    answer.raise_for_status()
    return str(answer.json()["id"])


async def make(client: httpx.AsyncClient, contacts: int) -> None:
    for start in range(0, contacts, _BATCH):
        operations = [{"method": "create", "data": {"full_name": f"客户 {start + n}"}} for n in range(_BATCH)]
        (await client.post("/v1/contacts/batch", json={"operations": operations})).raise_for_status()


async def throughput(
    stack: LocalStack, client: httpx.AsyncClient, receiver: Receiver, events: int, **more: Any
) -> dict[str, float]:
    """Of a backlog that is resumed."""
    endpoint = await subscribe(client, f"{receiver.url}/hook", status="paused", **more)
    place = f"/v1/webhook-endpoints/{endpoint}"
    await make(client, events)
    while (await client.get(f"{place}/progress")).json()["backlog"] < events:
        await asyncio.sleep(1)
    await quiet(stack)
    await receiver.arrived()
    spent, began, number = cpu_seconds(stack.pids), time.perf_counter(), 0
    (await client.patch(place, json={"status": "active"})).raise_for_status()
    while number < events:
        await asyncio.sleep(0.1)
        number += len(await receiver.arrived())
    took = time.perf_counter() - began
    used = cpu_seconds(stack.pids) - spent
    await client.delete(place)
    return {"events/s": round(number / took), "CPU ms an event": round(sum(used.values()) / number * 1000, 3)}


async def latency(
    stack: LocalStack, client: httpx.AsyncClient, receiver: Receiver, rate: float, seconds: float
) -> dict[str, float]:
    """Once what was made before has been worked off: it would be in the way of what is measured."""
    await quiet(stack)
    gateway = str(client.base_url).rstrip("/")
    headers = {"Authorization": client.headers["Authorization"], "Content-Type": "application/json"}
    body = json.dumps({"full_name": "客户 #########"}).encode()
    making = numbered([request_bytes("POST", f"{gateway}/v1/contacts", headers, body)], iter(range(10**9)))
    await at_rate(gateway, making, rate=rate, seconds=2)
    await asyncio.sleep(2)
    await receiver.arrived()
    await at_rate(gateway, making, rate=rate, seconds=seconds)
    await asyncio.sleep(3)
    found = await receiver.arrived()
    return {"events": len(found), "p50 ms": round(percentile(found, 50), 1), "p99 ms": round(percentile(found, 99), 1)}


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    report: dict[str, Any] = {}
    with temporary_run_dir() as folder, running_receiver() as receiver:
        async with LocalStack(Configuration(folder)) as stack:
            headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
            async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=60) as client:
                report["one a request"] = await throughput(stack, client, receiver, arguments.events)
                report["one a request, ordered"] = await throughput(
                    stack, client, receiver, arguments.events, ordering="entity"
                )
                report["up to 50 a request"] = await throughput(
                    stack, client, receiver, arguments.events, batch_size=50
                )
                await subscribe(client, f"{receiver.url}/hook")
                report[f"at {arguments.rate:g} a second"] = await latency(
                    stack, client, receiver, arguments.rate, arguments.seconds
                )
                for number in range(arguments.dead):
                    await subscribe(client, f"{receiver.url}/{'silent' if number % 2 else 'busy'}/{number}")
                report[f"at {arguments.rate:g} a second, {arguments.dead} dead endpoints beside it"] = await latency(
                    stack, client, receiver, arguments.rate, arguments.seconds
                )
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--dead", type=int, default=50)
    sys.stdout.write(json.dumps(asyncio.run(measure(parser.parse_args())), indent=1) + "\n")


if __name__ == "__main__":
    main()
