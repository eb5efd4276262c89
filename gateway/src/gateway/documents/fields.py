"""The fields of each resource that a document alone can tell of, as its search publishes them in the OpenAPI document."""

from functools import cache
from typing import Any

from crm_kit.conditions import FieldSet
from crm_kit.custom_fields import DeclaredFields, declared_of

from gateway.documents.packaged import openapi


def published_fields(resource: str) -> list[dict[str, Any]]:
    """As the OpenAPI document tells of them; none of a resource that is not searched."""
    search = openapi()["paths"].get(f"/v1/{resource}/search", {}).get("post", {})
    found: list[dict[str, Any]] = search.get("x-relata-fields", [])
    return found


@cache
def _fields_of(resource: str) -> FieldSet:
    return FieldSet.from_published(resource, published_fields(resource))


def fields_of(resource: str, declared: DeclaredFields) -> FieldSet:
    """With those that a tenant has declared."""
    return declared_of(declared, resource).among(_fields_of(resource), None)
