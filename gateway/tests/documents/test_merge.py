"""Several documents become one that means the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from gateway.documents.merge import merged_texts, read_documents
from gateway.documents.openapi_merge import CannotMerge, merge, operations
from gateway.documents.packaged import openapi
from gateway.manifest import MANIFEST
from openapi_spec_validator import OpenAPIV31SpecValidator

CHECKOUT = Path(__file__).parents[3]


def document(path: str, schema: str = "Thing", operation_id: str = "", **schemas: Any) -> dict[str, Any]:
    answer = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    operation = {
        "operationId": operation_id or f"get_{path.rpartition('/')[2]}",
        "tags": [path.rpartition("/")[2]],
        "x-relata-service": "x",
        "responses": {"200": {"description": "ok", "content": answer}},
    }
    return {
        "info": {"summary": f"About {path}"},
        "paths": {path: {"get": operation}},
        "components": {"schemas": schemas},
        "x-problems": [{"code": f"no_{path.rpartition('/')[2]}", "status": 404}, {"code": "not_found", "status": 404}],
    }


def answered(merged: dict[str, Any], path: str) -> str:
    reference: str = merged["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    return reference.rpartition("/")[2]


TEXT, NUMBER = {"type": "string"}, {"type": "number"}


def test_equal_schemas_are_shared() -> None:
    merged = merge({"a": document("/v1/a", Thing=TEXT), "b": document("/v1/b", Thing=TEXT)}, info={})
    assert merged["components"]["schemas"] == {"Thing": TEXT}
    assert answered(merged, "/v1/a") == answered(merged, "/v1/b") == "Thing"


def test_unequal_schemas_of_one_name_get_their_services_name() -> None:
    merged = merge({"a": document("/v1/a", Thing=TEXT), "b": document("/v1/b", Thing=NUMBER)}, info={})
    assert merged["components"]["schemas"] == {"AThing": TEXT, "BThing": NUMBER}
    assert (answered(merged, "/v1/a"), answered(merged, "/v1/b")) == ("AThing", "BThing")


def test_so_do_those_that_refer_to_them() -> None:
    page = {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
    documents = {
        "a": document("/v1/a", "Page", Page=page, Thing=TEXT, Other=TEXT),
        "b": document("/v1/b", "Page", Page=page, Thing=NUMBER, Other=TEXT),
        "c": document("/v1/c", "Other", Other=TEXT),
    }
    merged = merge(documents, info={})
    assert set(merged["components"]["schemas"]) == {"APage", "BPage", "AThing", "BThing", "Other"}
    assert merged["components"]["schemas"]["APage"]["items"]["$ref"] == "#/components/schemas/AThing"
    assert answered(merged, "/v1/b") == "BPage"


def test_two_owners_of_a_path_or_an_operation_id_are_refused() -> None:
    with pytest.raises(CannotMerge, match="/v1/a"):
        merge({"a": document("/v1/a", Thing=TEXT), "b": document("/v1/a", Thing=TEXT)}, info={})
    with pytest.raises(CannotMerge, match="both called same"):
        merge(
            {"a": document("/v1/a", "Thing", "same", Thing=TEXT), "b": document("/v1/b", "Thing", "same", Thing=TEXT)},
            info={},
        )


def test_tags_and_problems_are_united() -> None:
    merged = merge({"b": document("/v1/b", Thing=TEXT), "a": document("/v1/a", Thing=TEXT)}, info={})
    assert merged["tags"] == [
        {"name": "a", "description": "About /v1/a"},
        {"name": "b", "description": "About /v1/b"},
    ]
    assert [problem["code"] for problem in merged["x-problems"]] == ["no_a", "no_b", "not_found"]


def test_the_packaged_document_is_valid_openapi_3_1() -> None:
    assert list(OpenAPIV31SpecValidator(openapi()).iter_errors()) == []
    assert openapi()["openapi"].startswith("3.1")
    assert openapi()["servers"][0]["url"] == "/"


def test_the_packaged_document_is_what_the_committed_ones_make() -> None:
    """Run `make openapi` and commit what it wrote."""
    for file, text in merged_texts(read_documents(CHECKOUT)).items():
        assert file.read_text(encoding="utf-8") == text


def test_the_gateways_own_document_is_up_to_date() -> None:
    """Run `make openapi` and commit what it wrote."""
    from crm_kit.app import create_app

    committed = json.loads((CHECKOUT / "gateway" / "openapi.json").read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(create_app(MANIFEST, None).openapi()))


def test_every_operation_says_who_answers_it_and_what_can_go_wrong() -> None:
    seen = set()
    for path, method, operation in operations(openapi()["paths"]):
        place = f"{method} {path}"
        assert operation["operationId"], place
        assert operation["summary"], place
        assert operation["tags"], place
        assert operation["x-relata-service"] in ("gateway", "contacts", "pipeline", "tickets", "campaigns"), place
        if path.startswith("/scim/"):  # whose standard has an error format of its own
            error = operation["responses"]["4XX"]["content"]["application/scim+json"]["schema"]
            assert error == {"$ref": "#/components/schemas/ScimError"}, place
        else:
            assert operation["responses"]["404"] == {"$ref": "#/components/responses/Problem404"}, place
        seen.add(operation["operationId"])
    assert {"create_tenant", "create_api_key", "create_contact"} <= seen
    assert "application/problem+json" in openapi()["components"]["responses"]["Problem404"]["content"]


def test_answers_of_one_name_mean_the_same() -> None:
    mine, other = {"description": "Gone"}, {"description": "Went"}
    documents = {"a": {"components": {"responses": {"X": mine}}}, "b": {"components": {"responses": {"X": mine}}}}
    assert merge(documents, info={})["components"]["responses"] == {"X": mine}
    documents["b"]["components"]["responses"]["X"] = other
    with pytest.raises(CannotMerge, match="b and another service mean different answers by X"):
        merge(documents, info={})


def test_names_that_must_look_like_something_exclude_all_others() -> None:
    # `by_name` says it of a dictionary itself; of one that may be null it finds nothing to say it of, and all others are allowed.
    schemas = openapi()["components"]["schemas"]
    assert not [name for name, schema in schemas.items() if "patternProperties" in json.dumps(schema)]
