"""How many statements a record takes: that does not depend on the machine."""

import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.provision import ServiceUrls
from crm_testkit.service import ServiceUnderTest, running_service
from crm_testkit.statements import CountStatements, counting_statements
from pipeline_svc.manifest import MANIFEST

_MONEY = {"amount": "9.90", "currency": "CNY"}
_RECORDS: dict[str, dict[str, Any]] = {
    "/v1/deals": {"name": "年度框架", "amount": _MONEY},
    "/v1/orders": {"number": "SO-1", "total": _MONEY},
    "/v1/products": {"name": "滤芯", "unit_price": _MONEY},
    "/v1/invoices": {"number": "INV-1", "total": _MONEY},
    "/v1/payments": {"amount": _MONEY},
}


@pytest_asyncio.fixture(scope="module")
async def alone(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServiceUnderTest]:
    """A service that does nothing but answer."""
    folder, urls = tmp_path_factory.mktemp("alone"), postgres_database("pipeline")
    async with running_service(MANIFEST, urls, event_log_database(), folder, roles=["api"]) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def count(alone: ServiceUnderTest, postgres_server: EmbeddedPostgres) -> AsyncIterator[CountStatements]:
    async with counting_statements(alone.urls, postgres_server) as counted:
        yield counted


@pytest.mark.parametrize("path", _RECORDS)
async def test_a_record_is_read_by_one_statement_and_changed_by_two(
    alone: ServiceUnderTest, count: CountStatements, path: str
) -> None:
    tenant, numbers = alone.tenant(), itertools.count()
    record = await tenant.create(path, **_RECORDS[path])
    own = f"{path}/{record['id']}"

    async def change() -> None:
        tags = [f"t{next(numbers)}"]
        answer = await tenant.client.patch(own, json={"tags": tags})
        assert (answer.status_code, answer.json()["tags"]) == (200, tags)

    for _ in range(2):  # reads what stands, connects, and learns the types of what is sent
        await change()
        await tenant.read(own)
    assert await count(change) == 2
    assert await count(lambda: tenant.read(own)) == 1
