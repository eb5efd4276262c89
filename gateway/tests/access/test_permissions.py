"""What each operation needs, taken from the merged document: new operations are tried by themselves."""

from typing import Any

import httpx
import pytest
from crm_kit.http.principal import scope_of
from crm_testkit.door import Door, Keyholder
from gateway.documents.openapi_merge import operations
from gateway.documents.packaged import openapi
from gateway.features.api_keys.schemas import SCOPES

ACTIONS = {"read", "write", "admin"}
ID = "contact_01jd3zq8w9e2vbx7k5m4n6p8qr"


def needed() -> list[tuple[str, str, str]]:
    """Method, path and permission of every operation that is not open to anybody."""
    found = []
    for path, method, operation in operations(openapi()["paths"]):
        if operation.get("security") == []:
            assert "x-relata-permission" not in operation
        elif path.startswith(("/v1/", "/scim/")):
            place = path
            for parameter in operation["parameters"]:
                place = place.replace(f"{{{parameter['name']}}}", ID)
            found.append((method.upper(), place, operation["x-relata-permission"]))
    return found


def test_the_scopes_of_keys_are_the_permissions_of_operations() -> None:
    assert set(SCOPES) == ACTIONS | {scope_of(permission) for _, _, permission in needed()}


async def test_every_operation_takes_its_permission_and_no_other(door: Door, tenant: Keyholder) -> None:
    clients: dict[frozenset[str], Any] = {}

    async def client(scopes: set[str]) -> Any:
        key = frozenset(scopes)
        if key not in clients:
            clients[key] = await door.key(tenant, *scopes)
        return clients[key]

    operations_ = needed()
    assert len(operations_) > 60
    for method, path, permission in operations_:
        body = {} if method in ("POST", "PUT", "PATCH") else None
        scope = scope_of(permission)
        others = set(SCOPES) - {scope, wide(scope)}
        refused = await (await client(others)).request(method, path, json=body)
        assert (refused.status_code, _missing(refused)) == (403, permission), (method, path)
        for enough in {scope, wide(scope)}:
            answer = await (await client({enough, *_besides(path)})).request(method, path, json=body)
            # Tenants are changed by the installation's administrator alone, whatever a tenant's key may do.
            refusal = _missing(answer) if answer.status_code == 403 else "administrator"
            assert refusal == "administrator", (method, path, enough)


def wide(permission: str) -> str:
    """The scope that covers a permission without naming it: the audit log opens to no plain reader."""
    return "admin" if permission == "audit-log:read" else permission.rpartition(":")[2]


def _missing(refused: httpx.Response) -> str:
    """SCIM's errors have no member for it: their detail names it."""
    body = refused.json()
    return str(body["missing_permission"] if "code" in body else body["detail"].split("'")[1])


def _besides(path: str) -> set[str]:
    """A customer is seen by who may read contacts too, both users and groups by who may read both."""
    if path == "/scim/v2/.search":
        return {"teams:read"}
    return {"contacts:read"} if path.startswith("/v1/customers") else set()


@pytest.mark.parametrize(
    "scope", ["contacts", "contacts:", ":read", "contacts:admin", "quotes:read", "customers:write"]
)
async def test_a_scope_that_no_operation_needs_is_refused(tenant: Keyholder, scope: str) -> None:
    response = await tenant.client.post("/v1/api-keys", json={"name": "Further", "scopes": [scope]})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/scopes/0")


async def test_who_may_everything_may_give_less(door: Door, tenant: Keyholder) -> None:
    clerk = await door.key(tenant, "admin", "read", "deals:write")
    given = ["admin", "contacts:read", "deals:write"]
    made = await clerk.post("/v1/api-keys", json={"name": "Less", "scopes": given})
    assert (made.status_code, made.json()["scopes"]) == (201, given)
    more = await clerk.post("/v1/api-keys", json={"name": "More", "scopes": ["contacts:write"]})
    assert (more.status_code, more.json()["missing_permission"]) == (403, "contacts:write")
