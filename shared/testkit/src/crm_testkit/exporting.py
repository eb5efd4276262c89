"""Exporting over HTTP, and waiting for the file."""

import asyncio
import time
from typing import Any

import httpx

_ENDS_WITHIN = 60.0
_BUSY = ("pending", "running")


async def exported(client: httpx.AsyncClient, resource: str = "contacts", **asked: Any) -> dict[str, Any]:
    """The export once its job has ended."""
    answer = await client.post("/v1/exports", json={"resource": resource, **asked})
    assert answer.status_code == 201, answer.text
    return await ended(client, answer.json()["id"])


async def ended(client: httpx.AsyncClient, export_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + _ENDS_WITHIN
    while True:
        answer = await client.get(f"/v1/exports/{export_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        if found["status"] not in _BUSY:
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def file_of(client: httpx.AsyncClient, resource: str = "contacts", **asked: Any) -> bytes:
    """What an export of this writes."""
    found = await exported(client, resource, **asked)
    assert found["status"] == "succeeded", found
    answer = await client.get(found["file"])
    assert answer.status_code == 200, answer.text
    assert len(answer.content) == found["size"]
    return answer.content
