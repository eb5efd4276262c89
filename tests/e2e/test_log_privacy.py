"""A person's data, by every operation and every way in which one can be misused, and in no log of any process."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from crm_testkit.merged_document import Operation, operations_of
from crm_testkit.one_of_everything import make_one_of_everything
from crm_testkit.whole_stack import Relata

NAME, MAIL, PHONE, STREET = "Zsuzsanna Quirrenbach", "quirrenbach@example.com", "+4915799912345", "Kopfstein-Allee 9"
MARKS = (
    "zsuzsanna", "quirrenbach", "15799912345", "kopfstein",
    "欧阳晓梅", "xiaomei.", "13800138000", "138 0013 8000", "王伟", "wang.wei@", "司马相如", "13912340000", "wei.",
)  # fmt: skip
"""What tells who it is, of this test and of `make_one_of_everything`."""


def fields_of(document: dict[str, Any], operation: Operation) -> list[str]:
    """The members of its body, at the first level."""
    content = operation.spec.get("requestBody", {}).get("content", {})
    schema = next(iter(content.values()), {}).get("schema", {})
    seen: list[str] = []
    stack = [schema]
    while stack:
        one = stack.pop()
        if "$ref" in one:
            one = document["components"]["schemas"][one["$ref"].rsplit("/", 1)[1]]
        seen += one.get("properties", {})
        stack += [*one.get("anyOf", []), *one.get("oneOf", []), *one.get("allOf", [])]
    return seen


def misused(document: dict[str, Any], operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """An address and what is sent there: personal data in place of whatever there is a place for."""
    path = operation.path
    for name, _ in operation.parameters:
        path = path.replace(f"{{{name}}}", MAIL)
    named = [one["name"] for one in operation.spec.get("parameters", []) if one.get("in") == "query"]
    query = dict.fromkeys([*named, "q", "email", "phone", MAIL], NAME)
    yield path, {"params": query, "headers": {"User-Agent": NAME, "Referer": f"https://example.com/?{MAIL}"}}
    if operation.method != "get":
        members = [*fields_of(document, operation), "email", MAIL]
        for value in (NAME, {"address": MAIL}, [{"number": PHONE, "street": STREET}]):
            yield path, {"json": dict.fromkeys(members, value)}
        yield path, {"content": f'{{"full_name": "{NAME}", '.encode(), "headers": {"Content-Type": "application/json"}}
        yield path, {"content": NAME.encode(), "headers": {"Content-Type": "text/plain", "If-Match": MAIL}}


def told(folder: Path) -> list[str]:
    """Every line of any log in which a person can be recognised."""
    return [
        f"{path.name}: {line[:300]}"
        for path in sorted(folder.iterdir())
        for line in path.read_text(errors="replace").splitlines()
        if any(mark in line.lower() for mark in MARKS)
    ]


async def test_no_log_of_any_process_tells_who_somebody_is(on_embedded: Relata) -> None:
    key = await on_embedded.new_tenant_key("Discreet")
    async with on_embedded.client_of(key) as client:
        await make_one_of_everything(client)
        contact = {
            "full_name": NAME,
            "emails": [{"address": MAIL}],
            "phones": [{"number": PHONE}],
            "address": {"street": STREET},
        }
        assert (await client.post("/v1/contacts", json=contact)).status_code == 201
        document = (await client.get("/openapi.json")).json()
        statuses = await _misuse(client, document)
    assert {400, 404, 422} <= statuses, "it was refused by them all"
    assert not [status for status in statuses if status >= 500 and status != 503]
    logs = on_embedded.stack.folder.logs
    assert any("request_id" in path.read_text(errors="replace") for path in logs.iterdir()), "there are logs"
    assert told(logs) == []


async def _misuse(client: httpx.AsyncClient, document: dict[str, Any]) -> set[int]:
    statuses: set[int] = set()
    at_once = asyncio.Semaphore(8)

    async def one(operation: Operation, path: str, sent: dict[str, Any]) -> None:
        async with at_once:
            statuses.add((await client.request(operation.method, path, **sent)).status_code)

    await asyncio.gather(
        *(
            one(operation, path, sent)
            for operation in operations_of(document)
            if "event-stream" not in str(operation.spec["responses"])  # a stream goes on
            for path, sent in misused(document, operation)
        )
    )
    return statuses
