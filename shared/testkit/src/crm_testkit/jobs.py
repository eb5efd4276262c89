"""Waiting for what a job makes of a record."""

import asyncio
import time
from typing import Any, Final

import httpx

_ENDS_WITHIN: Final = 300.0
_BUSY: Final = ("pending", "running", "reverting")


async def ended(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """The record at this path once its job has ended."""
    deadline = time.monotonic() + _ENDS_WITHIN
    while True:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        if found["status"] not in _BUSY:
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)
