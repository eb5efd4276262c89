"""A chain of the toy service for each test."""

import pytest_asyncio
from crm_contracts.ids import TenantId
from crm_testkit.audit_chain import LENGTH, Chain, sealer_of, write_entries
from crm_testkit.toy_service.fixtures import Parts


@pytest_asyncio.fixture
async def chain(parts: Parts) -> Chain:
    """LENGTH sealed entries of a fresh tenant."""
    tenant_id = TenantId.new()
    entity_ids = await write_entries(parts, tenant_id, LENGTH)
    await sealer_of(parts).seal_all()
    made = Chain(parts, tenant_id, entity_ids)
    assert await made.faults() == []
    assert len(await made.rows()) == LENGTH
    return made
