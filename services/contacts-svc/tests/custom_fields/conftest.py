"""Declaring fields and trying values, as a client does both."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from crm_testkit.service import ServiceUnderTest, Tenant

Declare = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


@pytest.fixture
def declare(tenant: Tenant) -> Declare:
    """Declares a field of contacts, if nothing else is said."""

    async def declared(name: str, kind: str, **members: Any) -> dict[str, Any]:
        body = {"resource": "contacts", "name": name, "label": {"en": name}, "type": kind, **members}
        return await tenant.create("/v1/custom-fields", **body)

    return declared
