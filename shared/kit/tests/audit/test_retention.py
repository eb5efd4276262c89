"""What may go: old entries after their time, and the values about a person who is erased. The chain holds."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from crm_contracts.ids import TenantId, new_id
from crm_kit.audit import erase_payloads
from crm_kit.audit.verify import verify
from crm_kit.db.session import Database, ReadSession
from crm_testkit.audit_chain import LENGTH, Chain, sealer_of, write_entries
from crm_testkit.toy_service.fixtures import Parts

_BACKDATED = """
    insert into audit_unsealed (tenant_id, id, at, actor, via, request_id, trace_id, resource, action, changes)
    values ($1, $2, $3, 'key_1', 'api_key', '', '', 'note', 'created', '{}')
"""


async def _aged(parts: Parts, *days: int) -> Chain:
    """A chain whose entries are so many days old."""
    tenant_id = TenantId.new()
    for age in days:
        at = datetime.now(UTC) - timedelta(days=age)
        await parts.fetch_as(tenant_id, _BACKDATED, tenant_id, new_id("audit"), at)
        await sealer_of(parts).seal_all()
    return Chain(parts, tenant_id, [])


async def test_entries_go_after_their_time_and_the_chain_holds(parts: Parts) -> None:
    chain = await _aged(parts, 500, 400, 300, 450, 10)
    anchors = [await chain.anchor()]
    assert await sealer_of(parts).forget_old() >= 2
    assert [row["sequence"] for row in await chain.rows()] == [3, 4, 5], "what lies behind a younger one stays"
    assert await chain.faults(*anchors) == []
    await sealer_of(parts).seal_all()
    rows = await chain.rows()
    assert (rows[-1]["action"], rows[-1]["resource"], rows[-1]["actor"]) == ("purged", "audit_entry", "service/toy")
    assert await chain.faults(*anchors) == []
    assert await sealer_of(parts).forget_old() == 0


async def test_after_a_purge_every_fault_is_still_found(parts: Parts) -> None:
    chain = await _aged(parts, 500, 400, 300, 10)
    await sealer_of(parts).forget_old()
    await sealer_of(parts).seal_all()
    await chain.run("delete from audit_entry where sequence = 3")
    assert await chain.faults() == [("removed", 3)]


async def test_a_purge_that_is_removed_again_leaves_a_chain_that_begins_without_a_reason(parts: Parts) -> None:
    chain = await _aged(parts, 500, 10)
    await sealer_of(parts).forget_old()
    await chain.run("delete from audit_unsealed")
    assert await chain.faults() == [("base", 1)]


async def test_a_chain_may_go_as_a_whole(parts: Parts) -> None:
    chain = await _aged(parts, 500, 400)
    await sealer_of(parts).forget_old()
    assert await chain.rows() == []
    assert await chain.faults() == []
    await sealer_of(parts).seal_all()
    assert [row["sequence"] for row in await chain.rows()] == [3]
    assert await chain.faults() == []


async def test_nobody_removes_what_is_younger_than_half_a_year(parts: Parts) -> None:
    chain = await _aged(parts, 179)
    statement = "select audit_forget($1, now() - interval '179 days', 10, 'audit_1', 'x')"
    with pytest.raises(asyncpg.RaiseError, match="180 days"):
        await parts.fetch(statement, chain.tenant_id)
    assert len(await chain.rows()) == 1


class _Interrupted(Database):
    """Something else happens after the first reads."""

    def __init__(self, url: str, reads: int, happens: Callable[[], Awaitable[object]]) -> None:
        super().__init__(url, pool_size=1)
        self._reads = reads
        self._happens = happens

    @asynccontextmanager
    async def read(self, tenant_id: str | None) -> AsyncIterator[ReadSession]:
        if self._reads == 0:
            await self._happens()
        self._reads -= 1
        async with super().read(tenant_id) as session:
            yield session


@pytest.mark.parametrize("reads", range(7))
async def test_a_purge_in_the_middle_of_a_verification_is_no_fault(parts: Parts, reads: int) -> None:
    chain = await _aged(parts, 500, 400, 380, 10)
    sealer = sealer_of(parts)

    async def purge() -> None:
        await sealer.forget_old()
        await sealer.seal_all()
        await write_entries(parts, chain.tenant_id, 2)
        await sealer.seal_all()

    system = _Interrupted(parts.urls.system, reads, purge)
    try:
        [report] = [one async for one in verify(system, "toy", tenant_id=chain.tenant_id)]
    finally:
        await system.close()
    assert report.faults == []


@pytest.mark.parametrize("reads", range(7))
async def test_an_erasure_in_the_middle_of_a_verification_is_no_fault(chain: Chain, reads: int) -> None:
    async def erase() -> None:
        async with chain.parts.app.write(chain.tenant_id) as session:
            await erase_payloads(session, "note", chain.entity_ids[-2:])
        await sealer_of(chain.parts).seal_all()

    system = _Interrupted(chain.parts.urls.system, reads, erase)
    try:
        [report] = [one async for one in verify(system, "toy", tenant_id=chain.tenant_id)]
    finally:
        await system.close()
    assert report.faults == []


async def test_a_person_is_erased_and_the_chain_holds(chain: Chain) -> None:
    parts, person = chain.parts, chain.entity_ids[2]
    anchor = await chain.anchor()
    async with parts.app.write(chain.tenant_id) as session:
        assert await erase_payloads(session, "note", [person]) == 1
    rows = await chain.rows()
    assert [row["sequence"] for row in rows if row["changes"] is None] == [3]
    assert rows[2]["salt"] is None, "with it the values could be guessed from their digest"
    assert await chain.faults(anchor) == [], "the telling entry is not sealed yet"
    await sealer_of(parts).seal_all()
    rows = await chain.rows()
    assert (rows[-1]["action"], rows[-1]["entity_id"]) == ("erased", person)
    assert await chain.faults(anchor) == []
    await chain.run("update audit_entry set actor = 'x' where sequence = 3")
    assert await chain.faults() == [("altered", 3)]


async def test_an_erasure_reaches_what_waits_to_be_sealed(parts: Parts, tenant_id: str) -> None:
    [person] = await write_entries(parts, tenant_id, 1)
    async with parts.app.write(tenant_id) as session:
        assert await erase_payloads(session, "note", [person]) == 1
    await sealer_of(parts).seal_all()
    chain = Chain(parts, tenant_id, [])
    assert [row["changes"] for row in await chain.rows()] == [None, None]
    assert await chain.faults() == []


async def test_an_erasure_reaches_no_other_tenant(chain: Chain) -> None:
    async with chain.parts.app.write(TenantId.new()) as session:
        assert await erase_payloads(session, "note", chain.entity_ids) == 0
    assert len([row for row in await chain.rows() if row["changes"] is not None]) == LENGTH


async def test_an_erasure_of_one_hides_no_loss_of_another(chain: Chain) -> None:
    async with chain.parts.app.write(chain.tenant_id) as session:
        await erase_payloads(session, "note", [chain.entity_ids[0]])
    await chain.run("update audit_entry set changes = null, salt = null where sequence = 5")
    assert await chain.faults() == [("payload", 5)]
