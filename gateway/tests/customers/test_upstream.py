"""The client to the services stays usable whatever its callers do."""

import asyncio
from contextlib import suppress
from typing import Any

from crm_kit.http.principal import Principal
from gateway.upstream import ServiceClient

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""


async def test_cancelled_requests_under_contention_do_not_wedge_the_client(stack: Stack) -> None:
    """httpcore issue 1093: with httpx's own pool, none of ten later calls succeeded."""
    tenant, world = stack.tenant()
    contact = world.create("contact")
    settings = stack.gateway.runtime.settings
    client = ServiceClient(settings, settings.mint())
    principal = Principal("key_test", tenant.id)
    body = b'{"id": "%s"}' % contact["id"].encode()
    contacts = stack.services["contacts"]

    async def call() -> int:
        response = await client.post(principal, "contacts", "/internal/facts", body, timeout=5)
        return int(response.status_code)

    contacts.delay = 0.2
    try:
        for _ in range(5):
            calls = [asyncio.create_task(call()) for _ in range(40)]  # eight for each of the five connections
            await asyncio.sleep(0.05)
            for task in calls:
                task.cancel()
            for task in calls:
                with suppress(asyncio.CancelledError):
                    await task
    finally:
        contacts.delay = 0.0
    assert await asyncio.gather(*(call() for _ in range(20))) == [200] * 20
    await client.close()
