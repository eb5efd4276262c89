"""A tenant, and a clock that is put forward by setting times back."""

from collections.abc import Awaitable, Callable

import pytest
from crm_testkit.passing_time import let_days_pass
from crm_testkit.service import ServiceUnderTest, Tenant


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


@pytest.fixture
def later(service: ServiceUnderTest, tenant: Tenant) -> Callable[[int], Awaitable[None]]:
    """Lets so many days pass."""

    async def pass_by(days: int) -> None:
        await let_days_pass(service.urls.app, tenant.id, days)

    return pass_by
