"""A tenant whose days pass when a test says so."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.writers import until

Json = dict[str, Any]
Days = Callable[[str, int], Awaitable[None]]
Through = Callable[[str], Awaitable[None]]
Execute = Callable[[str], Awaitable[None]]


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


@pytest.fixture
def today() -> date:
    return datetime.now(UTC).date()


@pytest_asyncio.fixture
async def database(service: ServiceUnderTest, tenant: Tenant) -> AsyncIterator[asyncpg.Connection]:
    """As the application, for the tenant."""
    connection = await asyncpg.connect(service.urls.app)
    await connection.execute("select set_config('app.tenant_id', $1, false)", tenant.id)
    yield connection
    await connection.close()


@pytest.fixture
def through(database: asyncpg.Connection) -> Through:
    """Waits until the reminder has done all of today."""

    async def waits(reminder_id: str) -> None:
        async def waits_for_tomorrow() -> bool:
            found = await database.fetchval(
                "select due_at > now() and payload->>'phase' = 'tell' from timer"
                " where kind = 'date_reminder' and key = $1",
                reminder_id,
            )
            return found is not False

        await until(waits_for_tomorrow)

    return waits


@pytest.fixture
def days_ago(database: asyncpg.Connection, through: Through) -> Days:
    """As if no process had run for so many days: the reminder comes to the day that it stood at then."""

    async def set_back(reminder_id: str, days: int) -> None:
        await through(reminder_id)
        await database.execute(
            "update timer set due_at = due_at - $2::interval, payload = payload || jsonb_build_object('day',"
            " (payload->>'day')::date - $3::int) where kind = 'date_reminder' and key = $1",
            reminder_id,
            timedelta(days=days),
            days,
        )
        await through(reminder_id)

    return set_back
