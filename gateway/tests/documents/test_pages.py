"""The documents over HTTP: complete, in two languages, and from nowhere but here."""

import re
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from crm_contracts.registry import EVERY_TOPIC, PARTITIONS
from crm_kit.errors import problem_classes
from crm_testkit.door import Door
from gateway.documents.packaged import openapi
from joserfc.jwk import KeySet

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_openapi_is_the_merged_document(door: Door) -> None:
    response = await door.client().get("/openapi.json")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == openapi()
    unchanged = await door.client().get("/openapi.json", headers={"If-None-Match": response.headers["etag"]})
    assert unchanged.status_code == 304


async def test_the_docs_load_nothing_from_elsewhere(door: Door) -> None:
    page = await door.client().get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    text = page.text.lower()
    assert not re.findall(r"https?://|//cdn|cdn\.|unpkg|jsdelivr", text)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert "/docs/assets/swagger-ui-bundle.js" in loaded
    for target in loaded:
        if urlsplit(target).scheme == "data":
            continue
        asset = await door.client().get(target)
        assert asset.status_code == 200, target
        assert asset.headers["content-type"].startswith(("text/javascript", "text/css")), target
        assert len(asset.content) > 100
    start = (await door.client().get("/docs/assets/start.js")).text
    assert '"/openapi.json"' in start
    assert "http" not in start


async def test_no_other_file_is_served_as_an_asset(door: Door) -> None:
    for name in ("pages.py", "..%2fpages.py", "openapi.json", "start.js%00"):
        assert (await door.client().get(f"/docs/assets/{name}")).status_code == 404


def every_code() -> list[str]:
    return sorted({kind.code for kind in problem_classes()} | {problem["code"] for problem in openapi()["x-problems"]})


async def test_every_problem_has_its_page_in_both_languages(door: Door) -> None:
    client = door.client()
    for code in every_code():
        page = await client.get(f"/problems/{code}", headers=HTML)
        assert page.status_code == 200, code
        assert page.headers["content-type"].startswith("text/html")
        assert code in page.text
        assert 'lang="zh-CN"' in page.text
        assert "What to do:" in page.text
        assert "如何处理：" in page.text

        found = (await client.get(f"/problems/{code}")).json()
        assert (found["code"], found["type"]) == (code, f"/problems/{code}")
        assert 400 <= found["status"] <= 599
        for words in (found["title"], found["advice"]):
            assert words["en"].isascii() or "…" in words["en"]
            assert re.search(r"[\u4e00-\u9fff]", words["zh"]), code


async def test_the_readers_language_comes_first(door: Door) -> None:
    english = (await door.client().get("/problems/not_found", headers=HTML)).text
    chinese = (await door.client().get("/problems/not_found", headers={**HTML, "Accept-Language": "zh-CN"})).text
    assert english.index("What to do:") < english.index("如何处理：")
    assert chinese.index("如何处理：") < chinese.index("What to do:")
    assert '<html lang="zh-CN">' in chinese


async def test_all_problems_are_listed(door: Door) -> None:
    listed = (await door.client().get("/problems")).json()["data"]
    assert [problem["code"] for problem in listed] == every_code()
    page = (await door.client().get("/problems", headers=HTML)).text
    assert all(f"/problems/{code}" in page for code in every_code())


async def test_an_unknown_code_is_a_problem_itself(door: Door) -> None:
    response = await door.client().get("/problems/<script>", headers=HTML)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_what_a_problem_points_at_is_there(door: Door) -> None:
    problem = (await door.client().get("/v1/contacts")).json()
    assert (await door.client().get(problem["type"])).json()["code"] == problem["code"]


async def test_the_index_leads_to_all_of_them(door: Door) -> None:
    client = door.client()
    links = [link["href"] for link in (await client.get("/")).json()["links"]]
    assert {"/docs", "/openapi.json", "/asyncapi.json", "/problems"} <= set(links)
    page = (await client.get("/", headers=HTML)).text
    for link in links:
        assert f'href="{link}"' in page
        assert (await client.get(link)).status_code == 200, link


async def test_the_public_keys_hold_no_private_part(door: Door) -> None:
    jwks = (await door.client().get("/.well-known/jwks.json")).json()
    [key] = KeySet.import_key_set(jwks).keys
    assert not key.is_private
    assert set(jwks["keys"][0]) >= {"kty", "crv", "x", "kid"}
    assert "d" not in jwks["keys"][0]


async def test_health_needs_no_key(door: Door) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await door.client().get(path)).json() == {"status": "ok"}
    assert "crm_http_requests_total" in (await door.client().get("/metrics")).text


def at(document: dict[str, Any], reference: str) -> Any:
    """What a JSON pointer reference leads to."""
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


@pytest.fixture(name="events")
async def read_asyncapi(door: Door) -> dict[str, Any]:
    document: dict[str, Any] = (await door.client().get("/asyncapi.json")).json()
    return document


async def test_asyncapi_describes_every_topic_and_event(events: dict[str, Any]) -> None:
    assert events["asyncapi"].startswith("3.")
    assert {"title", "version"} <= set(events["info"])
    assert set(events["channels"]) == {topic.name for topic in EVERY_TOPIC}
    for topic in EVERY_TOPIC:
        channel = events["channels"][topic.name]
        assert channel["address"] == topic.name
        assert channel["bindings"]["kafka"]["partitions"] == PARTITIONS
        assert set(topic.event_types) <= set(channel["messages"])
        operation = events["operations"][f"publish.{topic.name}"]
        assert (operation["action"], operation["channel"]["$ref"]) == ("send", f"#/channels/{topic.name}")


async def test_no_reference_of_asyncapi_dangles(events: dict[str, Any]) -> None:
    found = references(events)
    assert len(found) > 100
    for reference in found:
        assert at(events, reference) is not None, reference


async def test_asyncapis_examples_fit_its_schemas(events: dict[str, Any]) -> None:
    checked = 0
    for message in events["components"]["messages"].values():
        for example in message.get("examples", []):
            for part in ("headers", "payload"):
                schema = {**message[part], "components": events["components"]}
                jsonschema.validate(example[part], schema, cls=jsonschema.Draft202012Validator)
                checked += 1
    assert checked == 2 * sum(len(topic.actions) for topic in EVERY_TOPIC)
