"""The proxy's table is what the merged document says."""

from typing import Any

import pytest
from gateway.documents.packaged import openapi
from gateway.proxy.table import ContestedPrefix, RouteTable


def document(*operations: tuple[str, str, str, bool]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for method, path, service, public in operations:
        needed = f"things:{'read' if method == 'get' else 'write'}"
        operation = {"x-relata-service": service, **({} if public else {"x-relata-permission": needed})}
        paths.setdefault(path, {})[method] = operation
    return {"paths": paths}


def test_prefixes_belong_to_services_and_the_gateways_own_to_nobody() -> None:
    table = RouteTable.from_document(
        document(
            ("get", "/v1/contacts", "contacts", False),
            ("get", "/v1/contacts/{id}/consents", "contacts", False),
            ("get", "/v1/unsubscribe/{token}", "campaigns", True),
            ("get", "/v1/tenants", "gateway", False),
        )
    )
    assert table.services == {"contacts": "contacts", "unsubscribe": "campaigns"}
    assert table.permission("GET", "/v1/unsubscribe/abc.def") is None
    assert table.permission("POST", "/v1/unsubscribe/abc") == "unsubscribe:write"
    assert table.permission("GET", "/v1/unsubscribe/abc/def") == "unsubscribe:read"
    assert table.permission("HEAD", "/v1/contacts") == "things:read"
    assert table.permission("DELETE", "/v1/contacts/x/y/z") == "contacts:write"


def test_two_owners_of_one_prefix_are_refused() -> None:
    with pytest.raises(ContestedPrefix, match="/v1/contacts belongs to contacts and to tickets"):
        RouteTable.from_document(
            document(("get", "/v1/contacts", "contacts", False), ("get", "/v1/contacts/x", "tickets", False))
        )


def test_below_a_shared_prefix_each_segment_has_its_owner() -> None:
    table = RouteTable.from_document(
        document(
            ("get", "/v1/digests/orders", "pipeline", False),
            ("get", "/v1/digests/orders/records", "pipeline", False),
            ("get", "/v1/digests/contacts", "contacts", False),
        )
    )
    assert table.services == {"digests/orders": "pipeline", "digests/contacts": "contacts"}
    assert table.permission("GET", "/v1/digests/orders/records") == "things:read"
    assert table.permission("GET", "/v1/digests") == "digests:read"
    with pytest.raises(ContestedPrefix, match="/v1/digests/orders belongs to pipeline and to tickets"):
        RouteTable.from_document(
            document(
                ("get", "/v1/digests/orders", "pipeline", False), ("get", "/v1/digests/orders/x", "tickets", False)
            )
        )


def test_the_packaged_document_has_every_service() -> None:
    table = RouteTable.from_document(openapi())
    assert set(table.services.values()) == {"contacts", "pipeline", "tickets", "campaigns"}
    assert table.services["contacts"] == "contacts"
    assert table.permission("POST", "/v1/unsubscribe/token") is None
    assert table.permission("GET", "/v1/contacts/x/consents") == "consents:read"
    assert table.permission("POST", "/v1/templates/x/preview") == "templates:read"
