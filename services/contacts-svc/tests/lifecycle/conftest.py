"""A tenant, and its lifecycle as a client changes it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from crm_testkit.service import ServiceUnderTest, Tenant

Configure = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


@pytest.fixture
def configure(tenant: Tenant) -> Configure:
    """Sets stages, each given as its members but the label."""

    async def configured(*stages: dict[str, Any], initial: str = "lead") -> dict[str, Any]:
        body = {"initial": initial, "stages": [{"label": {"en": stage["name"]}, **stage} for stage in stages]}
        answer = await tenant.client.patch("/v1/lifecycle", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return configured
