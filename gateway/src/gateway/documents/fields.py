"""The fields of each resource that a document alone can tell of, as its search publishes them in the OpenAPI document."""

from functools import cache
from typing import Any

from crm_kit.conditions import FieldSet

from gateway.documents.packaged import openapi


def published_fields(resource: str) -> list[dict[str, Any]]:
    """As the OpenAPI document tells of them; none of a resource that is not searched."""
    search = openapi()["paths"].get(f"/v1/{resource}/search", {}).get("post", {})
    found: list[dict[str, Any]] = search.get("x-relata-fields", [])
    return found


@cache
def fields_of(resource: str) -> FieldSet:
    return FieldSet.from_published(resource, published_fields(resource))
