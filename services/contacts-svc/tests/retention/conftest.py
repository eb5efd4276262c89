"""A tenant whose days pass when a test says so, and who waits for what its rules do then."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from crm_testkit.passing_time import let_pass
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.writers import until

Json = dict[str, Any]
Days = Callable[[float], Awaitable[None]]
Rule = Callable[..., Awaitable[Json]]


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


@pytest_asyncio.fixture
async def database(service: ServiceUnderTest, tenant: Tenant) -> AsyncIterator[asyncpg.Connection]:
    """As the application, for the tenant."""
    connection = await asyncpg.connect(service.urls.app)
    await connection.execute("select set_config('app.tenant_id', $1, false)", tenant.id)
    yield connection
    await connection.close()


@pytest.fixture
def days(service: ServiceUnderTest, tenant: Tenant, database: asyncpg.Connection) -> Days:
    """So many days pass, and whatever rule is due has done what it does."""

    async def pass_by(number: float) -> None:
        await let_pass(service.urls.app, tenant.id, timedelta(days=number))

        async def is_through() -> bool:
            found = await database.fetchval(
                "select not exists (select from timer where kind = 'retention_rule' and due_at <= now() + interval '5 s')"
                " and not exists (select from retention_run where status = 'running')"
            )
            return bool(found)

        await until(is_through, seconds=60)

    return pass_by


@pytest.fixture
def rule(tenant: Tenant) -> Rule:
    """Makes a rule; the rest of it as given."""

    async def made(**members: Any) -> Json:
        usual = {"resource": "contacts", "counted_from": "created_at", "after_days": 30, "action": "delete"}
        return await tenant.create(
            "/v1/retention-rules", **{"name": "Old ones", "reason": "GDPR 5(1)(e)", **usual, **members}
        )

    return made
