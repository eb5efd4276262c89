"""A tenant with people who have to do with one another and with companies."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from crm_testkit.service import ServiceUnderTest, Tenant

Json = dict[str, Any]


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


@pytest.fixture
def person(tenant: Tenant) -> Callable[[str], Awaitable[str]]:
    async def made(name: str) -> str:
        return str((await tenant.create("/v1/contacts", full_name=name))["id"])

    return made


@pytest.fixture
def company(tenant: Tenant) -> Callable[[str], Awaitable[str]]:
    async def made(name: str) -> str:
        return str((await tenant.create("/v1/accounts", name=name))["id"])

    return made
