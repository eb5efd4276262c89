"""Exporting over HTTP, and waiting for the file."""

from typing import Any

import httpx

from crm_testkit.jobs import ended


async def exported(client: httpx.AsyncClient, resource: str = "contacts", **asked: Any) -> dict[str, Any]:
    """The export once its job has ended."""
    answer = await client.post("/v1/exports", json={"resource": resource, **asked})
    assert answer.status_code == 201, answer.text
    return await ended(client, f"/v1/exports/{answer.json()['id']}")


async def file_of(client: httpx.AsyncClient, resource: str = "contacts", **asked: Any) -> bytes:
    """What an export of this writes."""
    found = await exported(client, resource, **asked)
    assert found["status"] == "succeeded", found
    answer = await client.get(found["file"])
    assert answer.status_code == 200, answer.text
    assert len(answer.content) == found["size"]
    return answer.content
