"""Issuers of our own, and a tenant that trusts one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from crm_testkit.door import Door, Keyholder
from crm_testkit.issuer import Issuer, Issuers, running_issuers

Register = Callable[..., Awaitable[dict[str, Any]]]


@pytest_asyncio.fixture(scope="session")
async def issuers() -> AsyncIterator[Issuers]:
    async with running_issuers() as running:
        yield running


@pytest.fixture
def issuer(issuers: Issuers) -> Issuer:
    return issuers.new()


@pytest.fixture
def register(door: Door, tenant: Keyholder, issuer: Issuer) -> Register:
    """Registers the issuer with the tenant."""

    async def register(holder: Keyholder = tenant, **body: Any) -> dict[str, Any]:
        usual = {"name": "Login", "issuer": issuer.url, "audiences": ["relata-tests"], "default_roles": ["integration"]}
        response = await holder.client.post("/v1/identity-providers", json={**usual, **body})
        assert response.status_code == 201, response.text
        return dict(response.json())

    return register
