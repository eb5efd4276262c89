"""A service whose requests reach PostgreSQL through a PgBouncer that lends three sessions, a transaction at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
import pytest_asyncio
from crm_kit.db.connecting import SESSION
from crm_kit.db.provision import ServiceUrls
from crm_kit.db.session import Database
from crm_kit.db.sql import Sql
from crm_kit.doctor.command import look
from crm_testkit import pgbouncer
from crm_testkit.conformance import ServiceConformance
from crm_testkit.service import ServiceUnderTest, Tenant, running_service
from crm_testkit.toy_service import MANIFEST
from crm_testkit.toy_service.samples import SAMPLES
from sqlalchemy import text

pytestmark = pytest.mark.skipif(pgbouncer.lacking() is not None, reason=pgbouncer.lacking() or "")

SESSIONS = 3
_PRESENT = Sql("select current_setting('app.tenant_id', true) as tenant, pg_backend_pid() as backend")


@pytest_asyncio.fixture(scope="module")
async def urls(postgres_database: Callable[[str], ServiceUrls]) -> ServiceUrls:
    return postgres_database("toy")


@pytest_asyncio.fixture(scope="module")
async def pooled(urls: ServiceUrls) -> AsyncIterator[str]:
    async with pgbouncer.running_pgbouncer(urls.app, sessions=SESSIONS) as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def service(
    urls: ServiceUrls, pooled: str, event_log_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServiceUnderTest]:
    settings = {"database_url": pooled, "database_pooler": "transaction", "database_pool_size": 20}
    folder = tmp_path_factory.mktemp("pooled")
    async with running_service(MANIFEST, urls, event_log_database(), folder, **settings) as running:
        yield running


class TestConformance(ServiceConformance):
    manifest = MANIFEST
    samples = SAMPLES


async def _work(tenant: Tenant, number: int) -> set[str]:
    """Writes, and reads by every way there is; the tenant's ids."""
    made = await tenant.create("/v1/notes", title=f"{tenant.id} {number}", mark=f"mark-{number}")
    found = await tenant.read(f"/v1/notes/{made['id']}")
    assert found["title"] == f"{tenant.id} {number}"
    listed = (await tenant.read("/v1/notes", limit=200))["data"]
    body = {"where": {"field": "mark", "op": "eq", "value": f"mark-{number}"}}
    sought = (await tenant.client.post("/v1/notes/search", json=body)).json()["data"]
    for note in (*listed, *sought):
        assert note["title"].startswith(tenant.id), "a note of another tenant"
    assert [note["id"] for note in sought] == [made["id"]]
    return {made["id"]}


async def test_tenants_that_share_sessions_never_see_one_another(service: ServiceUnderTest) -> None:
    tenants = [service.tenant() for _ in range(4)]
    made = await asyncio.gather(*(_work(tenant, number) for number in range(40) for tenant in tenants))
    for place, tenant in enumerate(tenants):
        own = set().union(*made[place :: len(tenants)])
        assert {note["id"] for note in (await tenant.read("/v1/notes", limit=200))["data"]} == own
        others = next(iter(made[(place + 1) % len(tenants)]))
        assert (await tenant.client.get(f"/v1/notes/{others}")).status_code == 404


async def test_a_session_is_lent_with_nobody_s_tenant(pooled: str, service: ServiceUnderTest) -> None:
    database = service.runtime.database
    backends = set()

    async def ask(tenant_id: str | None) -> None:
        async with database.read(tenant_id) as session:
            for _ in range(3):
                [row] = await session.fetch(_PRESENT, {})
                assert (row["tenant"] or None) == tenant_id
                backends.add(row["backend"])

    await asyncio.gather(*(ask(f"tenant_{number % 3}" if number % 4 else None) for number in range(60)))
    assert len(backends) <= SESSIONS
    stranger = await asyncpg.connect(pooled)
    try:
        assert not await stranger.fetchval("select current_setting('app.tenant_id', true)")
        assert await stranger.fetchval("select count(*) from note") == 0
    finally:
        await stranger.close()


async def test_each_transaction_has_the_settings_that_the_session_would_have(pooled: str) -> None:
    wanted = {"plan_cache_mode": "force_generic_plan", "statement_timeout": "30s"}
    database = Database(pooled, pool_size=2, settings=wanted, by_transaction=True)
    try:
        async with database.read(None) as session:
            for name in ("jit", "idle_in_transaction_session_timeout", "client_connection_check_interval", *wanted):
                assert await session.scalar(text(f"select current_setting('{name}')")) == {**SESSION, **wanted}[name]
        stranger = await asyncpg.connect(pooled)
        assert await stranger.fetchval("select current_setting('plan_cache_mode')") == "auto"
        await stranger.close()
    finally:
        await database.close()


async def test_the_doctor_says_what_a_pooler_may_lend(service: ServiceUnderTest) -> None:
    settings = service.runtime.settings
    said = {each.check: each for each in [one async for one in look(MANIFEST, settings)]}
    assert "pooler" not in said
    undeclared = settings.model_copy(update={"database_pooler": "none"})
    said = {each.check: each for each in [one async for one in look(MANIFEST, undeclared)]}
    assert said["pooler"].state == "warning"
    assert said["pooler"].sentence.endswith("where it lends them by transaction, set DATABASE_POOLER=transaction.")
