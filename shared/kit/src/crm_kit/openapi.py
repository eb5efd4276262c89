"""A service's OpenAPI 3.1 document: FastAPI's, with what every operation of ours has besides."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from crm_kit.errors import problem_classes
from crm_kit.http.route import permission_of
from crm_kit.manifest import Manifest

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457 problem details.",
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/validation_failed"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "examples": ["validation_failed"]},
        "trace_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "examples": ["/emails/0/address"]},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "rule_id": {"type": "string", "description": "The rule of yours that it breaks"},
                },
            },
        },
    },
    "additionalProperties": True,
}

_ALWAYS = (400, 401, 403, 404, 405, 422, 429, 500, 503)
_WITH_BODY = (413, 415)
_ON_WRITE = (409, 412)
_OF_ONE = (410,)
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_MAPS_OF_SCHEMAS = frozenset({"properties", "patternProperties", "$defs"})
_DATA = frozenset({"const", "enum", "examples"})

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {
        "type": "string",
        "pattern": r'^([!#-+\--~]{1,255}|"([ !#-\[\]-~]|\\["\\]){1,255}")$',
    },
    "description": "Such as a new UUID. A retry with the same key and body gets the first answer again, for 24 hours",
}
_TAG = r'(W/)?"[!#-~]*"'
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "pattern": rf"^(\*|{_TAG}( *, *{_TAG})*)$", "examples": ['"7"']},
    "description": "The ETag that was read; 412 if the resource has changed since",
}


def build_openapi(app: FastAPI, manifest: Manifest) -> dict[str, Any]:
    """Builds the document once and keeps it."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            routes=app.routes,
            openapi_version="3.1.0",
        )
        complete(document, manifest.name, manifest.package)
        app.openapi_schema = document
    return app.openapi_schema


def _tell_forms(document: dict[str, Any]) -> None:
    """A form has no null, and we take no field that is not named."""
    for item in document["paths"].values():
        content = item.get("post", {}).get("requestBody", {}).get("content", {}).get("multipart/form-data")
        if content is None:
            continue
        form = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        form["additionalProperties"] = False
        for field in form["properties"].values():
            kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
            if len(kinds) == 1:
                del field["anyOf"]
                field.update(kinds[0])


def complete(document: dict[str, Any], service: str, package: str) -> None:
    """Adds security, problem answers and common headers to each operation.

    Its problems are the kit's and those of `package`, whatever else this process has imported.
    """
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for schema in schemas.values():
        _tell_defaults(schema)
        _tell_what_may_be_missing(schema)
    _tell_forms(document)
    schemas["Problem"] = PROBLEM_SCHEMA
    # Once, and not with every operation: of the merged document they would be the half.
    components["responses"] = {
        _component(code): _problem(code) for code in sorted({*_ALWAYS, *_WITH_BODY, *_ON_WRITE, *_OF_ONE})
    }
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "description": "An API key"}}
    document["security"] = [{"bearer": []}]
    document["x-problems"] = [
        {
            "code": kind.code,
            "status": kind.status,
            "title": {"en": kind.title.en, "zh": kind.title.zh},
            "advice": {"en": kind.advice.en, "zh": kind.advice.zh},
        }
        for kind in problem_classes()
        if kind.__module__.startswith(("crm_kit.", f"{package}."))
    ]
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            if method in _METHODS:
                _complete_operation(operation, method, service)
                _document_headers(operation, method, schemas)
                if method in ("put", "patch", "delete") or _is_action(path, method, operation):
                    operation["parameters"].append(_IF_MATCH)


def _tell_defaults(schema: Any) -> None:
    """Says in words what a member that is left out means, in place of the keyword `default`.

    Generators of clients take the keyword for "always there": openapi-typescript then requires the member of everybody
    who sends one.
    """
    if isinstance(schema, list):
        for each in schema:
            _tell_defaults(each)
    if not isinstance(schema, dict):
        return
    default = schema.pop("default", None)
    if isinstance(default, str | int):
        told = f"Default: {json.dumps(default)}"
        schema["description"] = f"{schema['description']}. {told}" if "description" in schema else told
    for keyword, value in schema.items():
        if keyword in _MAPS_OF_SCHEMAS:
            for each in value.values():
                _tell_defaults(each)
        elif keyword not in _DATA:
            _tell_defaults(value)


def _is_action(path: str, method: str, operation: dict[str, Any]) -> bool:
    """Whether a POST changes the entity that its path names, and makes no other."""
    changes = method == "post" and "{" in path and "201" not in operation["responses"]
    return changes and not operation.get("x-relata-reads") and operation.get("security") != []


def _complete_operation(operation: dict[str, Any], method: str, service: str) -> None:
    operation["x-relata-service"] = service
    permission = permission_of(operation.get("tags", ()), {method.upper()}, operation)
    if permission is not None:
        operation["x-relata-permission"] = permission
    codes = [
        *_ALWAYS,
        *(_ON_WRITE if method != "get" else ()),
        *(_WITH_BODY if "requestBody" in operation else ()),
        *(_OF_ONE if any(each["in"] == "path" for each in operation.get("parameters", ())) else ()),
    ]
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)
    if "4XX" not in responses:  # where the route's standard has an error format of its own
        for code in sorted(codes):
            responses[str(code)] = {"$ref": f"#/components/responses/{_component(code)}"}
    if method == "get":
        responses["304"] = {"description": "Not modified"}
    parameters = operation.setdefault("parameters", [])
    if method == "post" and not operation.get("x-relata-reads"):
        parameters.append(_IDEMPOTENCY_KEY)
    body = operation.get("requestBody", {}).get("content", {})
    if method == "patch" and "application/json" in body:
        body["application/merge-patch+json"] = body["application/json"]


def _tell_what_may_be_missing(schema: dict[str, Any]) -> None:
    """Of what is read: a sensitive member is there for those who may see it. Events and inputs are not concerned."""
    members = schema.get("properties", {})
    if not {"id", "version", "created_at", "updated_at"} <= members.keys():
        return
    schema["required"] = [name for name in schema["required"] if "x-relata-sensitivity" not in members[name]]
    members["redacted"] = {**_NAMES, "description": "Members that you may not see; absent where there are none"}
    members["masked"] = {**_NAMES, "description": "Members of which you see a part only; absent where there are none"}


_NAMES = {"type": "array", "items": {"type": "string"}}


def _component(code: int) -> str:
    return f"Problem{code}"


def _problem(code: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": _TITLES[code],
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if names := _HEADERS_BY_STATUS.get(str(code)):
        answer["headers"] = {name: _HEADERS[name] for name in names}
    return answer


def _document_headers(operation: dict[str, Any], method: str, schemas: dict[str, Any]) -> None:
    writes = method != "get" and not operation.get("x-relata-reads")
    for status, response in operation["responses"].items():
        if "$ref" in response:
            continue
        names = [*_HEADERS_BY_STATUS.get(status, ())]
        if status.startswith("2"):
            names += _success_headers(response, schemas, writes=writes, method=method)
        if names:
            headers = {name: _HEADERS[name] for name in names}
            response["headers"] = {**headers, **response.get("headers", {})}


def _success_headers(response: dict[str, Any], schemas: dict[str, Any], *, writes: bool, method: str) -> list[str]:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    members = schemas.get(name, {}).get("properties", {}).keys()
    is_entity, is_page = {"id", "version", "created_at"} <= members, {"data", "next_cursor"} <= members
    names = ["ETag"] if is_entity else []
    if writes and (is_entity or method == "delete"):
        names.append("Consistency-Token")
    if writes and method == "post":
        names.append("Idempotent-Replayed")
    return names + (["Link"] if method == "get" and is_page else [])


def _header(description: str, *, required: bool = True) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": {"type": "string"}}


_HEADERS = {
    "Allow": _header("The methods that this address takes"),
    "Consistency-Token": _header("Sent back with a later read, the answer contains this write"),
    "ETag": _header("The version in double quotes, for If-Match and If-None-Match"),
    "Idempotent-Replayed": _header("`true` on the first answer given again", required=False),
    "Link": _header('The next page, `rel="next"`', required=False),
    "Location": _header("Where it is"),
    "Retry-After": _header("Seconds to wait"),
    "WWW-Authenticate": _header("Which credential is needed"),
}
_HEADERS_BY_STATUS = {
    "201": ("Location",),
    "304": ("ETag",),
    "401": ("WWW-Authenticate",),
    "405": ("Allow",),
    "429": ("Retry-After",),
}

_TITLES = {
    kind.status: kind.title.en for kind in reversed(list(problem_classes())) if kind.__module__ == "crm_kit.errors"
}
