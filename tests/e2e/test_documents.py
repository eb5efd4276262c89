"""The documents that others build on: OpenAPI, AsyncAPI, the pages of errors, the reference that works offline."""

import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from crm_contracts.registry import EVERY_TOPIC
from crm_testkit.whole_stack import Relata
from openapi_spec_validator import OpenAPIV31SpecValidator

_METHODS = ("get", "post", "put", "patch", "delete")
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_SCIM_ERROR = {"application/scim+json": {"schema": {"$ref": "#/components/schemas/ScimError"}}}
"""RFC 7644 has an error format of its own."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def document(on_embedded: Relata) -> dict[str, Any]:
    answer = await on_embedded.client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    found: dict[str, Any] = answer.json()
    return found


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def test_the_merged_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    errors = [
        f"{list(error.absolute_path)}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()
    ]
    assert not errors, "\n".join(errors)


def test_no_member_is_required_of_a_typescript_client_that_may_be_left_out(document: dict[str, Any]) -> None:
    # openapi-typescript takes `default` for "always there".
    assert not [name for name, schema in document["components"]["schemas"].items() if _has_default(schema)]


def _has_default(schema: Any) -> bool:
    """By the keyword; a member may have the name."""
    if isinstance(schema, list):
        return any(map(_has_default, schema))
    if not isinstance(schema, dict):
        return False
    inner = [*schema.get("properties", {}).values(), *(value for name, value in schema.items() if name != "properties")]
    return "default" in schema or any(map(_has_default, inner))


def test_operation_ids_are_unique_words(document: dict[str, Any]) -> None:
    counts = Counter(operation["operationId"] for _, operation in _operations(document))
    assert [name for name, count in counts.items() if count > 1] == []
    assert [name for name in counts if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []


def test_every_operation_tells_its_errors_as_problems(document: dict[str, Any]) -> None:
    shared = {f"#/components/responses/{name}": each for name, each in document["components"]["responses"].items()}
    for name, operation in _operations(document):
        answers = {status: shared.get(answer.get("$ref"), answer) for status, answer in operation["responses"].items()}
        errors = {status: answer for status, answer in answers.items() if status >= "400"}
        if "/scim/" in name:
            assert errors.keys() == {"4XX", "5XX"}, name
            assert all(answer["content"] == _SCIM_ERROR for answer in errors.values()), name
            continue
        assert {"401", "403", "404", "422", "429"} <= set(errors), name
        for status, answer in errors.items():
            assert answer.get("content") == _PROBLEM, f"{name} {status}"
            assert answer["description"], f"{name} {status}"


def test_every_operation_has_a_summary_a_tag_and_a_success(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in _operations(document):
        assert operation.get("summary"), name
        assert operation.get("tags"), name
        assert set(operation["tags"]) <= tags, name
        assert any(status.startswith("2") for status in operation["responses"]), name


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    referred = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert referred <= set(schemas)
    assert set(schemas) <= referred, "schemas that nothing refers to"


def test_writes_take_an_idempotency_key_and_changes_take_if_match(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        headers = {p["name"] for p in operation.get("parameters", []) if p["in"] == "header"}
        if name.startswith("POST ") and not operation.get("x-relata-reads"):
            assert "Idempotency-Key" in headers, name
        if name.startswith(("PUT ", "PATCH ", "DELETE ")):
            assert "If-Match" in headers, name


@pytest.mark.parametrize("path", ["/docs", "/", "/problems", "/problems/not_found"])
async def test_a_page_loads_nothing_from_elsewhere(on_embedded: Relata, path: str) -> None:
    async with httpx.AsyncClient(base_url=on_embedded.gateway_url) as anybody:
        page = await anybody.get(path, headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert not _elsewhere(page.text), _elsewhere(page.text)
        for address in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
            asset = await anybody.get(address)
            assert asset.status_code == 200, address
            if address.endswith((".css", ".html")):
                assert not _elsewhere(asset.text), address


def _elsewhere(text: str) -> list[str]:
    """What a browser would fetch from another host."""
    return re.findall(r"""(?:src|href|@import|url)\s*[=(]?\s*["']?(?:https?:)?//[^"')\s>]+""", text)


async def test_asyncapi_describes_every_topic(on_embedded: Relata) -> None:
    answer = await on_embedded.client.get("/asyncapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["asyncapi"].startswith("3.")
    addresses = {channel["address"]: channel for channel in document["channels"].values()}
    assert set(addresses) == {topic.name for topic in EVERY_TOPIC}
    sent = [operation["channel"]["$ref"] for operation in document["operations"].values()]
    assert len(sent) == len(set(sent)) >= len(EVERY_TOPIC)
    for pointer in re.findall(r'"\$ref": "#(/[^"]+)"', json.dumps(document)):
        assert _resolve(document, pointer) is not None, pointer
    types = {kind for topic in EVERY_TOPIC for kind in topic.event_types}
    assert types <= {message.get("name") for message in document["components"]["messages"].values()}


def _resolve(document: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document


async def test_every_problem_has_its_page_in_both_languages(on_embedded: Relata, document: dict[str, Any]) -> None:
    problems = document["x-problems"]
    assert len(problems) >= 25
    for problem in problems:
        for language, tag, other in (("en", "en", "zh"), ("zh", "zh-CN", "en")):
            headers = {"Accept": "text/html", "Accept-Language": tag}
            page = await on_embedded.client.get(f"/problems/{problem['code']}", headers=headers)
            assert page.status_code == 200, problem["code"]
            assert page.headers["content-type"].startswith("text/html")
            text = html.unescape(page.text)
            for each in ("title", "advice"):
                assert problem[each][language] in text, problem["code"]
                assert text.rindex(problem[each][language]) < text.rindex(problem[each][other]), problem["code"]


async def test_a_problem_that_does_not_exist_has_no_page(on_embedded: Relata) -> None:
    answer = await on_embedded.client.get("/problems/no_such_problem")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_an_error_names_a_page_that_exists(on_embedded: Relata) -> None:
    problem = (await on_embedded.client.get("/v1/contacts/nonsense")).json()
    assert (await on_embedded.client.get(problem["type"])).status_code == 200
