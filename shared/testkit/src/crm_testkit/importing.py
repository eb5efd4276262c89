"""Importing files over HTTP, and waiting for what becomes of them."""

from typing import Any

import httpx
import orjson

from crm_testkit.jobs import ended


async def upload(client: httpx.AsyncClient, content: bytes, *, filename: str = "people.csv", **form: Any) -> Any:
    """The answer to an import of a file; what is no text goes into the form as JSON, but for lists."""
    fields = {name: _spelled(value) for name, value in form.items()}
    return await client.post("/v1/imports", files={"file": (filename, content)}, data=fields)


def _spelled(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


async def imported(client: httpx.AsyncClient, content: bytes, **form: Any) -> dict[str, Any]:
    """The import once its job has ended."""
    answer = await upload(client, content, **form)
    assert answer.status_code == 201, answer.text
    return await ended(client, f"/v1/imports/{answer.json()['id']}")


async def act(client: httpx.AsyncClient, import_id: str, action: str, **body: Any) -> dict[str, Any]:
    """Runs or reverts it, and waits for its end."""
    answer = await client.post(f"/v1/imports/{import_id}/{action}", json=body if action == "run" else None)
    assert answer.status_code == 200, answer.text
    return await ended(client, f"/v1/imports/{import_id}")


async def rows_of(client: httpx.AsyncClient, import_id: str, **params: Any) -> list[dict[str, Any]]:
    """What became of each row."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await client.get(f"/v1/imports/{import_id}/rows", params={"limit": 200, "cursor": cursor, **params})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def counts(found: dict[str, Any]) -> dict[str, int]:
    """Those that are not zero."""
    return {name: number for name, number in found["counts"].items() if number}
