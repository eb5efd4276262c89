"""Every list is filtered by every field that it says it is filtered by, and finds by it what it shows."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest_asyncio
from crm_testkit.merged_document import Operation, operations_of
from crm_testkit.one_of_everything import make_one_of_everything
from crm_testkit.whole_stack import Relata

_PAGING = {"limit", "cursor", "sort"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(on_embedded: Relata) -> Any:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Filters")) as client:
        await make_one_of_everything(client)
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lists(on_embedded: Relata) -> list[Operation]:
    operations = operations_of((await on_embedded.client.get("/openapi.json")).json())
    of_records = (each for each in operations if not each.path.startswith("/v1/digests/"))  # these are of periods
    return [each for each in of_records if each.lists and not each.scim and _filters(each)]


def _filters(operation: Operation) -> dict[str, dict[str, Any]]:
    """The schema of each, by its name."""
    given = (each for each in operation.spec.get("parameters", ()) if each.get("in") == "query")
    return {each["name"]: each["schema"] for each in given if each["name"] not in _PAGING}


def _some(schema: dict[str, Any]) -> str:
    """A value that the schema accepts."""
    if "anyOf" in schema:
        schema = next(each for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return str(schema["enum"][0])
    by_format = {"date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z"}
    by_type = {"integer": "1", "number": "1.5", "boolean": "true"}
    return by_format.get(schema.get("format", "")) or by_type.get(schema["type"], "x")


def _shown(record: Any, path: list[str]) -> Iterator[Any]:
    """What stands there in a record, each element of a list."""
    if isinstance(record, list):
        for element in record:
            yield from _shown(element, path)
    elif path and isinstance(record, dict):
        yield from _shown(record.get(path[0]), path[1:])
    elif not path and record is not None:
        yield record


def _spelled(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


async def _page(client: httpx.AsyncClient, path: str, **params: str) -> list[dict[str, Any]]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, f"{path} {params}: {answer.text}"
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_every_filter_of_every_list_is_taken(client: httpx.AsyncClient, lists: list[Operation]) -> None:
    assert {"/v1/contacts", "/v1/accounts", "/v1/activities", "/v1/deals", "/v1/tickets"} <= {e.path for e in lists}
    tried = 0
    for operation in lists:
        for name, schema in _filters(operation).items():
            if name in ("topic", "consumer", "stage", "service") and "dead-letters" in operation.path:
                continue  # one of a thing's own names
            await _page(client, operation.path, **{name: _some(schema)})
            tried += 1
    assert tried > 200


async def test_what_a_list_shows_it_finds_by_each_of_its_members(
    client: httpx.AsyncClient, lists: list[Operation]
) -> None:
    found = 0
    for operation in lists:
        records = await _page(client, operation.path)
        for name in _filters(operation).keys() - {"since", "until"}:
            values = [(each["id"], value) for each in records[:1] for value in _shown(each, name.split("."))]
            for id_, value in values[:1]:
                if isinstance(value, dict):
                    continue
                by_it = await _page(client, operation.path, **{name: _spelled(value)})
                assert id_ in {each["id"] for each in by_it}, f"{operation.path}?{name}={value}"
                found += 1
        await asyncio.sleep(0)
    assert found > 80


async def test_lists_and_searches_take_the_same_fields(on_embedded: Relata, lists: list[Operation]) -> None:
    document = (await on_embedded.client.get("/openapi.json")).json()
    compared = 0
    for operation in lists:
        search = document["paths"].get(f"{operation.path}/search", {}).get("post")
        if search is None:
            continue
        body = search["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        where = document["components"]["schemas"][body]["properties"]["where"]
        condition = next(each["$ref"] for each in where["anyOf"] if "$ref" in each).rpartition("/")[2]
        named = set(_named(document["components"]["schemas"][condition]))
        assert named == set(_filters(operation)), operation.path
        compared += 1
    assert compared > 20


def _named(schema: Any) -> Iterator[str]:
    """The fields that a condition's schema names."""
    if isinstance(schema, list):
        for each in schema:
            yield from _named(each)
    elif isinstance(schema, dict):
        field = schema.get("properties", {}).get("field", {})
        yield from field.get("enum", [field["const"]] if "const" in field else [])
        for each in schema.values():
            yield from _named(each)


async def test_an_account_is_found_by_its_external_id(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/accounts", json={"name": "云帆", "external_ids": {"erp": "K-1"}})
    assert answer.status_code == 201, answer.text
    assert [each["id"] for each in await _page(client, "/v1/accounts", external_id="erp:K-1")] == [answer.json()["id"]]
