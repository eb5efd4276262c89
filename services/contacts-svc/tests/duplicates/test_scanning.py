"""A scan of a whole tenant finds what asking for each contact would, wherever it was broken off."""

from collections.abc import AsyncIterator

import pytest_asyncio
from contacts_svc.features.duplicates.jobs import Step, scan_some
from crm_kit.db.session import Database
from crm_testkit.service import ServiceUnderTest, Tenant
from sqlalchemy import text


@pytest_asyncio.fixture
async def database(service: ServiceUnderTest) -> AsyncIterator[Database]:
    opened = Database(service.urls.app)
    yield opened
    await opened.close()


async def _people(tenant: Tenant) -> set[tuple[str, str]]:
    """Thirty people, ten of them twice; answers the pairs."""
    pairs = set()
    for n in range(30):
        surname, given = "欧王李张刘陈"[n % 6], "晓梅建国志强文辉海波雪峰"[n % 11 :][:2]
        body = {"full_name": surname + given, "phones": [{"number": f"138001380{n:02}"}], "wechat": f"wx-{n}-own"}
        first = await tenant.create("/v1/contacts", **body)
        if n % 3 == 0:
            again = await tenant.create("/v1/contacts", **body)
            pairs.add((first["id"], again["id"]))
    return pairs


async def _scan(database: Database, tenant: Tenant) -> list[Step]:
    steps, step = [], Step()
    while step is not None:
        async with database.write(tenant.id) as session:
            step = await scan_some(session, step)
        if step is not None:
            steps.append(step)
    return steps


async def _pairs(database: Database, tenant: Tenant) -> set[tuple[str, str]]:
    async with database.read(tenant.id) as session:
        rows = await session.execute(text("select older_id, newer_id from duplicate_pair where score > 0.9"))
        return {(row[0], row[1]) for row in rows.all()}


async def test_it_finds_them_all_and_again_the_same(service: ServiceUnderTest, database: Database) -> None:
    tenant = service.tenant()
    pairs = await _people(tenant)
    steps = await _scan(database, tenant)
    assert [step.phase for step in steps] == ["gather", "learn", "compare", "compare", "clear"]
    assert await _pairs(database, tenant) == pairs
    await _scan(database, tenant)
    assert await _pairs(database, tenant) == pairs
    async with database.read(tenant.id) as session:
        assert await session.scalar(text("select count(*) from duplicate_block")) == 0


async def test_what_was_never_keyed_is_keyed_first(service: ServiceUnderTest, database: Database) -> None:
    """As a release has left it that knew no match keys."""
    tenant = service.tenant()
    pairs = await _people(tenant)
    async with database.write(tenant.id) as session:
        await session.execute(text("update contact set match_keys = null"))
    await _scan(database, tenant)
    assert await _pairs(database, tenant) == pairs
    older, newer = sorted(pairs)[0]
    found = await tenant.read(f"/v1/contacts/{newer}/duplicates")
    assert [each["contact"]["id"] for each in found["data"]] == [older]


async def test_what_is_no_duplicate_any_more_is_forgotten(service: ServiceUnderTest, database: Database) -> None:
    tenant = service.tenant()
    pairs = await _people(tenant)
    await _scan(database, tenant)
    gone = sorted(pairs)[0]
    body = {"full_name": "Someone Else", "phones": [{"number": "+13125550100"}], "wechat": "another"}
    assert (await tenant.client.patch(f"/v1/contacts/{gone[1]}", json=body)).status_code == 200
    last = sorted(pairs)[-1]
    assert (await tenant.client.delete(f"/v1/contacts/{last[1]}")).status_code == 204
    await _scan(database, tenant)
    assert await _pairs(database, tenant) == pairs - {gone, last}


async def test_a_scan_sees_one_tenant(service: ServiceUnderTest, database: Database) -> None:
    tenant, other = service.tenant(), service.tenant()
    await _people(tenant)
    await _scan(database, other)
    assert await _pairs(database, other) == set()
    assert await _pairs(database, tenant) == set()


async def test_an_empty_tenant_is_scanned_in_no_time(service: ServiceUnderTest, database: Database) -> None:
    assert [step.phase for step in await _scan(database, service.tenant())] == ["gather", "learn", "compare", "clear"]
