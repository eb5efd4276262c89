"""Writers and sealer at once: every committed entry is sealed, once, and nobody waits for the sealer."""

import asyncio
import random
import time

import asyncpg
import pytest
from crm_contracts.ids import TenantId
from crm_kit.audit import entry, record
from crm_kit.audit.sealer import AuditSealer
from crm_kit.db.embedded import EmbeddedPostgres
from crm_testkit.audit_chain import Chain, sealer_of, write_entries
from crm_testkit.toy_service import NoteId
from crm_testkit.toy_service.fixtures import Parts
from prometheus_client import REGISTRY

WRITERS, ROUNDS = 8, 25


async def _write_at_leisure(parts: Parts, tenant_id: str, luck: random.Random) -> list[str]:
    """Entries of transactions that commit in another order than they write in; some roll back."""
    kept: list[str] = []
    for _ in range(ROUNDS):
        note_id, fails = NoteId.new(), luck.random() < 0.2
        try:
            async with parts.app.write(tenant_id) as session:
                await record(session, [entry("note", "read", entity_id=note_id, details={"title": "a"})])
                await asyncio.sleep(luck.random() * 0.03)
                if fails:
                    raise RuntimeError("rolled back")
        except RuntimeError:
            continue
        kept.append(note_id)
    return kept


async def _seal_on(sealer: AuditSealer, done: asyncio.Event) -> None:
    while not done.is_set():
        await sealer.seal_all()
        await asyncio.sleep(0.002)


async def test_every_committed_entry_is_sealed_once_whoever_seals(parts: Parts) -> None:
    tenants, done = [TenantId.new(), TenantId.new()], asyncio.Event()
    sealers = [asyncio.create_task(_seal_on(sealer_of(parts), done)) for _ in range(3)]
    writers = [_write_at_leisure(parts, tenants[n % 2], random.Random(n)) for n in range(WRITERS)]
    written = await asyncio.gather(*writers)
    done.set()
    await asyncio.gather(*sealers)
    await sealer_of(parts).seal_all()
    for index, tenant_id in enumerate(tenants):
        chain = Chain(parts, tenant_id, [])
        rows = await chain.rows()
        expected = sorted(note_id for n, ids in enumerate(written) if n % 2 == index for note_id in ids)
        assert sorted(row["entity_id"] for row in rows) == expected
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
        assert await chain.faults() == []


async def test_an_entry_that_commits_late_is_sealed_later(parts: Parts, tenant_id: str) -> None:
    chain, sealer = Chain(parts, tenant_id, []), sealer_of(parts)
    async with parts.app.write(tenant_id) as late:
        await record(late, [entry("note", "read", entity_id="late")])
        [early] = await write_entries(parts, tenant_id, 1)
        await sealer.seal_all()
        assert [row["entity_id"] for row in await chain.rows()] == [early]
    await sealer.seal_all()
    rows = await chain.rows()
    assert [row["entity_id"] for row in rows] == [early, "late"]
    assert rows[1]["at"] < rows[0]["at"]
    assert await chain.faults() == []


async def test_nobody_who_writes_waits_for_who_seals(parts: Parts, tenant_id: str) -> None:
    await write_entries(parts, tenant_id, 3)
    holder = await asyncpg.connect(parts.urls.system)
    try:
        async with holder.transaction():
            await holder.fetch("delete from audit_unsealed where tenant_id = $1 returning *", tenant_id)
            began = time.monotonic()
            await asyncio.wait_for(write_entries(parts, tenant_id, 3), 5)
            assert time.monotonic() - began < 5
            raise asyncio.CancelledError  # the sealer dies in the middle
    except asyncio.CancelledError:
        pass
    finally:
        await holder.close()
    assert await sealer_of(parts).seal_all() >= 6
    assert len(await Chain(parts, tenant_id, []).rows()) == 6


async def test_a_sealer_that_loses_its_connections_loses_and_doubles_nothing(
    parts: Parts, tenant_id: str, postgres_server: EmbeddedPostgres
) -> None:
    done, cut = asyncio.Event(), 0

    async def seal_on() -> None:
        nonlocal cut
        sealer = sealer_of(parts)
        while not done.is_set():
            try:
                await sealer.seal_all()
            except Exception:
                cut += 1
            await asyncio.sleep(0)

    sealing = asyncio.create_task(seal_on())
    written: list[str] = []
    for _ in range(20):
        written += await write_entries(parts, tenant_id, 40)
        await parts.terminate(postgres_server.superuser_url(), "system")
    done.set()
    await sealing
    await sealer_of(parts).seal_all()
    chain = Chain(parts, tenant_id, [])
    assert sorted(row["entity_id"] for row in await chain.rows()) == sorted(written)
    assert await chain.faults() == []
    assert cut, "no connection was lost in the middle of anything"


async def test_one_tenants_fault_keeps_back_no_other(chain: Chain) -> None:
    await chain.run("update audit_head set sequence = sequence - 1")  # the next number is taken
    parts, other = chain.parts, TenantId.new()
    await write_entries(parts, chain.tenant_id, 1)
    [theirs] = await write_entries(parts, other, 1)
    with pytest.raises(Exception, match="audit_entry_pkey"):
        await sealer_of(parts).seal_all()
    assert [row["entity_id"] for row in await Chain(parts, other, []).rows()] == [theirs]
    await chain.run("update audit_head set sequence = sequence + 1")
    await sealer_of(parts).seal_all()
    assert await chain.faults() == []


@pytest.mark.parametrize("role", ["app", "system"])
@pytest.mark.parametrize(
    "statement",
    [
        "update audit_entry set actor = 'x'",
        "delete from audit_entry",
        "truncate audit_entry",
        "update audit_unsealed set actor = 'x'",
        "truncate audit_unsealed",
        "delete from audit_head",
        "alter table audit_entry disable row level security",
        "alter table audit_entry add column note text",
        "select audit_forget('tenant_1', now(), 10, 'audit_1', 'x')",
    ],
)
async def test_what_is_sealed_cannot_be_touched_by_the_services_roles(chain: Chain, role: str, statement: str) -> None:
    connection = await asyncpg.connect(chain.parts.urls.app if role == "app" else chain.parts.urls.system)
    try:
        await connection.execute("select set_config('app.tenant_id', $1, false)", chain.tenant_id)
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(statement)
    finally:
        await connection.close()
    assert await chain.faults() == []


@pytest.mark.parametrize("table", ["audit_entry", "audit_head", "audit_unsealed"])
async def test_the_application_writes_what_waits_and_nothing_else(chain: Chain, table: str) -> None:
    await write_entries(chain.parts, chain.tenant_id, 1)
    for refused in (f"insert into {table} select * from {table}", f"delete from {table}"):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UniqueViolationError)):
            await chain.parts.fetch_as(chain.tenant_id, refused)
    stranger = TenantId.new()
    assert await chain.parts.fetch_as(chain.tenant_id, f"select 1 from {table}")
    assert await chain.parts.fetch_as(stranger, f"select 1 from {table}") == []


async def test_what_waits_and_what_fails_is_measured(chain: Chain) -> None:
    def measured(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, {"service": "toy", **labels}) or 0.0

    parts, sealed = chain.parts, measured("crm_audit_sealed_total")
    await write_entries(parts, chain.tenant_id, 3)
    await asyncio.sleep(0.05)
    await sealer_of(parts).seal_all()
    assert measured("crm_audit_sealed_total") >= sealed + 3
    assert measured("crm_audit_unsealed_oldest_seconds") > 0.04
    await sealer_of(parts).seal_all()
    assert measured("crm_audit_unsealed_oldest_seconds") == 0

    failures = measured("crm_audit_failures_total", work="sealing")
    await chain.run("update audit_head set sequence = sequence - 1")
    await write_entries(parts, chain.tenant_id, 1)
    running = asyncio.create_task(sealer_of(parts).run())
    async with asyncio.timeout(10):
        while measured("crm_audit_failures_total", work="sealing") == failures:
            await asyncio.sleep(0.02)
    assert not running.done(), "it tries again"
    running.cancel()
    await asyncio.wait([running])
    await chain.run("update audit_head set sequence = sequence + 1")
    await sealer_of(parts).seal_all()
