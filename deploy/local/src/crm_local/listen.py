"""`relata listen`: events of a running Relata, forwarded to a port of this machine as its webhooks would be.

For whoever writes a receiver: it needs neither an address of its own nor an exemption. It subscribes for as long as it runs,
follows the stream, signs each event and posts it; what the receiver answers is shown.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from crm_kit.http.standard_webhooks import key_of, signed_headers

from crm_local.errors import StackError

_PAUSE_SECONDS = 1.0
_ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Listening:
    """What to listen to, with which key, and where to forward it."""

    gateway_url: str
    key: str
    to: str
    kinds: Sequence[str] = ("*",)
    after: str | None = None


async def listen(what: Listening, say: Callable[[str], None]) -> None:
    """Until cancelled. Raises StackError where it may not subscribe."""
    headers = {"Authorization": f"Bearer {what.key}"}
    async with (
        httpx.AsyncClient(base_url=what.gateway_url, headers=headers, timeout=60) as client,
        httpx.AsyncClient(timeout=_ANSWER_SECONDS) as receiver,
        _subscribed(client, what) as endpoint,
    ):
        say(f"WEBHOOK_SECRET={endpoint['secret']}")
        say(f"Events {', '.join(what.kinds)} go to {what.to}; end with Ctrl-C.")
        key = key_of(endpoint["secret"])
        assert key is not None, "the gateway makes secrets of the form"
        async for event in _events(client, f"/v1/webhook-endpoints/{endpoint['id']}/events"):
            say(await _forward(receiver, what.to, event, key))


@asynccontextmanager
async def _subscribed(client: httpx.AsyncClient, what: Listening) -> AsyncIterator[dict[str, Any]]:
    body: dict[str, Any] = {"transport": "pull", "kinds": [*what.kinds], "description": "relata listen"}
    if what.after is not None:
        body["after"] = what.after
    try:
        answer = await client.post("/v1/webhook-endpoints", json=body)
    except httpx.TransportError as error:
        raise StackError(f"{what.gateway_url} does not answer ({type(error).__name__})") from error
    if answer.status_code != 201:
        raise StackError(f"{what.gateway_url} answers {answer.status_code}: {answer.text}")
    endpoint = answer.json()
    try:
        yield endpoint
    finally:
        await client.delete(f"/v1/webhook-endpoints/{endpoint['id']}")


async def _events(client: httpx.AsyncClient, path: str) -> AsyncIterator[bytes]:
    """For ever: a stream that was cut off goes on where it was."""
    headers, cursor = {"Accept": "text/event-stream"}, ""
    while True:
        try:
            async with client.stream("GET", path, headers=headers) as answer:
                answer.raise_for_status()
                async for line in answer.aiter_lines():
                    name, _, value = line.partition(": ")
                    match name:
                        case "id":
                            cursor = value
                        case "data" if value:
                            yield value.encode()
                        case "" if cursor:  # the end of a message: it has been forwarded
                            headers["Last-Event-ID"] = cursor
        except httpx.HTTPError:
            await asyncio.sleep(_PAUSE_SECONDS)


async def _forward(receiver: httpx.AsyncClient, to: str, event: bytes, key: bytes) -> str:
    """What came of it, in a line."""
    told = json.loads(event)
    headers = signed_headers(told["id"], datetime.now(UTC), event, [key])
    headers |= {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "Relata-Causation-Id": told["id"],
        "Relata-Hops": str(told["hops"]),
    }
    if "correlationid" in told:
        headers["Relata-Correlation-Id"] = told["correlationid"]
    try:
        answer = str((await receiver.post(to, content=event, headers=headers)).status_code)
    except httpx.HTTPError as error:
        answer = type(error).__name__
    return f"{answer}  {told['type']}  {told['subject']}  {told['sequence']}"
