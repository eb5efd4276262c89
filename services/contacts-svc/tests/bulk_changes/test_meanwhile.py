"""What happens to a bulk change while it runs, and after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from contacts_svc.features.contacts.resource import CONTACTS
from crm_kit.db.models import utc_now
from crm_kit.resources import Size, Walk
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant

PATH = "/v1/bulk-changes"
FAIR = {"field": "source", "op": "eq", "value": "fair"}


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


@asynccontextmanager
async def connected(service: ServiceUnderTest, tenant: Tenant) -> AsyncIterator[asyncpg.Connection]:
    """A transaction of the tenant's, beside the service's own."""
    connection = await asyncpg.connect(service.urls.app)
    try:
        async with connection.transaction():
            await connection.execute("select set_config('app.tenant_id', $1, true)", tenant.id)
            yield connection
    finally:
        await connection.close()


async def started(tenant: Tenant, **body: Any) -> str:
    answer = await tenant.client.post(PATH, json={"resource": "contacts", "action": "archive", **body})
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


async def waits(connection: asyncpg.Connection) -> None:
    """Until somebody waits for what the connection has locked."""
    async with asyncio.timeout(20):
        while not await connection.fetchval(
            "select exists (select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid)))"
        ):
            await asyncio.sleep(0.02)


async def test_what_does_not_fit_any_more_when_its_turn_has_come_is_left_alone(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    first, second = [(await tenant.create("/v1/contacts", full_name="王伟", source="fair"))["id"] for _ in range(2)]
    async with connected(service, tenant) as connection:
        await connection.execute("update contact set source = 'web' where id = $1", first)
        change = await started(tenant, where=FAIR)
        await waits(connection)
    found = await ended(tenant.client, f"{PATH}/{change}")
    assert (found["changed"], found["passed"], found["failed"]) == (1, 1, 0)
    assert (await tenant.read(f"/v1/contacts/{first}"))["archived_at"] is None
    assert (await tenant.read(f"/v1/contacts/{second}"))["archived_at"] is not None


async def test_what_it_did_before_it_was_cancelled_stays_done(service: ServiceUnderTest, tenant: Tenant) -> None:
    for _ in range(2):
        operations = [{"method": "create", "data": {"full_name": "王伟", "source": "fair"}} for _ in range(250)]
        await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    ids = sorted(each["id"] for each in (await tenant.read("/v1/contacts", limit=200, sort="-id"))["data"])
    async with connected(service, tenant) as connection:
        await connection.execute("select from contact where id = $1 for update", ids[-1])
        change = await started(tenant, where=FAIR)
        await waits(connection)
        job = (await tenant.read(f"{PATH}/{change}"))["job_id"]
        cancelling = asyncio.create_task(tenant.client.post(f"/internal/jobs/{job}/cancel"))
        await asyncio.sleep(0)
    answer = await cancelling
    found = await ended(tenant.client, f"{PATH}/{change}")
    if answer.status_code == 200:
        assert (found["status"], found["changed"] % 100) == ("cancelled", 0)
    else:  # its last page was under way
        assert (answer.json()["code"], found["changed"]) == ("job_over", 500)
    archived = await tenant.read("/v1/contacts", archived="true", limit=200)
    assert len(archived["data"]) == min(found["changed"], 200)


async def test_after_a_month_nobody_knows_whom_it_was_for(service: ServiceUnderTest, tenant: Tenant) -> None:
    record = (await tenant.create("/v1/contacts", full_name="王伟"))["id"]
    change = await started(tenant, ids=[record], versions={record: 5})
    assert (await ended(tenant.client, f"{PATH}/{change}"))["failed"] == 1
    async with connected(service, tenant) as connection:
        assert await connection.execute("update timer set due_at = now() where key = $1", change) == "UPDATE 1"
    async with asyncio.timeout(20):
        while (await tenant.read(f"{PATH}/{change}/failures"))["data"]:
            await asyncio.sleep(0.05)
    async with connected(service, tenant) as connection:
        row = await connection.fetchrow("select ids, versions::text, failed from bulk_change where id = $1", change)
    assert tuple(row) == (None, "{}", 1)


async def test_a_count_that_takes_too_long_is_an_estimate(service: ServiceUnderTest, tenant: Tenant) -> None:
    await tenant.create("/v1/contacts", full_name="王伟")
    async with service.runtime.database.write(tenant.id) as session:
        walk = await Walk.of(session, CONTACTS, FAIR, (), utc_now())
        assert await walk.size(session) == Size(count=0, kind="exact")
        everyone = await Walk.of(session, CONTACTS, None, (), utc_now())
        assert await everyone.size(session, most=0) == Size(count=0, kind="at_least")
        slow = Walk(everyone.resource, everyone.statement.where(_sleeps()), everyone.sort)
        guessed = await slow.size(session, within=timedelta(milliseconds=20))
        assert guessed.kind == "estimate"
        assert await walk.size(session) == Size(count=0, kind="exact"), "the transaction goes on"


def _sleeps() -> Any:
    return sa.func.pg_sleep(0.2).cast(sa.Text) == sa.literal("")
