"""Several OpenAPI documents made into one. Pure: documents in, document out.

Schemas of one name that mean the same are shared. Where they differ, each gets its service's name before its own; that
spreads to every schema of one name that refers to them, because equal words with unequal references mean different
things.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

Document = dict[str, Any]

_REFERENCE: Final = "#/components/schemas/"
_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class CannotMerge(ValueError):
    """Two documents claim the same path or the same operation id."""


def merge(documents: Mapping[str, Document], *, info: Document) -> Document:
    """One document of the services' documents by name. Raises CannotMerge."""
    schemas = {service: _schemas(document) for service, document in documents.items()}
    renamed = _renamed(schemas)
    merged_schemas: Document = {}
    paths: Document = {}
    for service, document in documents.items():
        names = {name: _own_name(service, name) for name in schemas[service] if name in renamed}
        for name, schema in schemas[service].items():
            merged_schemas[names.get(name, name)] = _with_names(schema, names)
        for path, item in document.get("paths", {}).items():
            if path in paths:
                raise CannotMerge(f"{service} and another service both have {path}")
            paths[path] = _with_names(item, names)
    _check_operation_ids(paths)
    return {
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": "/", "description": "This gateway"}],
        "security": [{"bearer": []}],
        "tags": _tags(documents),
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(merged_schemas.items())),
            "responses": _responses(documents),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `Bearer relata_…`"}
            },
        },
        "x-problems": _problems(documents.values()),
    }


def operations(paths: Document) -> Iterator[tuple[str, str, Document]]:
    """Path, method and operation of each."""
    for path, item in paths.items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _schemas(document: Document) -> Document:
    found: Document = document.get("components", {}).get("schemas", {})
    return found


def _renamed(schemas: Mapping[str, Document]) -> frozenset[str]:
    """The names that do not mean the same everywhere."""
    texts: dict[str, set[str]] = {}
    references: dict[str, set[str]] = {}
    owners: dict[str, int] = {}
    for own in schemas.values():
        for name, schema in own.items():
            texts.setdefault(name, set()).add(json.dumps(schema, sort_keys=True))
            references.setdefault(name, set()).update(_references(schema))
            owners[name] = owners.get(name, 0) + 1
    differing = {name for name, variants in texts.items() if len(variants) > 1}
    while True:
        spread = {
            name
            for name, referred in references.items()
            if owners[name] > 1 and name not in differing and referred & differing
        }
        if not spread:
            return frozenset(differing)
        differing |= spread


def _own_name(service: str, name: str) -> str:
    return service.capitalize() + name


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str) and value.startswith(_REFERENCE):
                yield value.removeprefix(_REFERENCE)
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _with_names(node: Any, names: Mapping[str, str]) -> Any:
    """`node` with every reference to a renamed schema mended, the mappings of discriminators too."""
    if isinstance(node, dict):
        return {key: _with_names(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_names(value, names) for value in node]
    if isinstance(node, str) and node.startswith(_REFERENCE):
        name = node.removeprefix(_REFERENCE)
        return _REFERENCE + names.get(name, name)
    return node


def _check_operation_ids(paths: Document) -> None:
    seen: dict[str, str] = {}
    for path, method, operation in operations(paths):
        place = f"{method.upper()} {path}"
        other = seen.setdefault(operation["operationId"], place)
        if other != place:
            raise CannotMerge(f"{other} and {place} are both called {operation['operationId']}")


def _responses(documents: Mapping[str, Document]) -> Document:
    """Answers that operations share. Raises CannotMerge where two documents mean different ones by one name."""
    merged: Document = {}
    for service, document in documents.items():
        for name, response in document.get("components", {}).get("responses", {}).items():
            if merged.setdefault(name, response) != response:
                raise CannotMerge(f"{service} and another service mean different answers by {name}")
    return dict(sorted(merged.items()))


def _tags(documents: Mapping[str, Document]) -> list[Document]:
    """Each tag with the service that answers it."""
    found: dict[str, str] = {}
    for document in documents.values():
        summary = document.get("info", {}).get("summary", "")
        for _path, _method, operation in operations(document.get("paths", {})):
            for tag in operation.get("tags", []):
                found.setdefault(tag, summary)
    return [{"name": tag, "description": description} for tag, description in sorted(found.items())]


def _problems(documents: Iterable[Document]) -> list[Document]:
    found = {problem["code"]: problem for document in documents for problem in document.get("x-problems", [])}
    return [found[code] for code in sorted(found)]
