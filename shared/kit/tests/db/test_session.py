"""Sessions: one transaction, one tenant, and reads that cannot write."""

import asyncio

import pytest
from crm_contracts.ids import TenantId
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import Database
from crm_kit.db.sql import Sql
from crm_kit.inbox.applying import is_transient
from crm_testkit.toy_service import NoteId
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.toy_service.notes import NoteRow
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError


def _note(tenant_id: str, title: str = "a") -> NoteRow:
    return NoteRow(id=NoteId.new(), tenant_id=tenant_id, title=title, version=1)


async def _titles(parts: Parts, tenant_id: str | None) -> list[str]:
    async with parts.app.read(tenant_id) as session:
        return sorted(await session.scalars(select(columns(NoteRow).title)))


async def test_a_block_that_ends_is_committed_and_one_that_raises_is_not(parts: Parts, tenant_id: str) -> None:
    async with parts.app.write(tenant_id) as session:
        session.add(_note(tenant_id))
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  # the block is the transaction
        async with parts.app.write(tenant_id) as session:
            session.add(_note(tenant_id, "b"))
            await session.flush()
            raise ZeroDivisionError
    assert await _titles(parts, tenant_id) == ["a"]


async def test_postgresql_itself_refuses_a_write_while_reading(parts: Parts, tenant_id: str) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with parts.app.read(tenant_id) as session:
            await session.execute(text("delete from note"))


async def test_a_connection_goes_back_to_the_pool_without_its_tenant(parts: Parts) -> None:
    tenants = [TenantId.new() for _ in range(5)]
    for tenant in tenants:
        async with parts.app.write(tenant) as session:
            session.add(_note(tenant, tenant))
    for tenant in tenants:
        assert await _titles(parts, tenant) == [tenant]
        assert await _titles(parts, None) == []
        async with parts.app.read(None) as session:
            assert await session.scalar(text("select current_setting('app.tenant_id', true)")) in (None, "")


async def test_rows_of_another_tenant_cannot_be_written(parts: Parts, tenant_id: str) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with parts.app.write(tenant_id) as session:
            session.add(_note(TenantId.new()))
    with pytest.raises(DBAPIError, match="row-level security"):
        async with parts.app.write(None) as session:
            session.add(_note(tenant_id))


async def test_a_savepoint_undoes_its_own_part_and_keeps_the_tenant(parts: Parts, tenant_id: str) -> None:
    async with parts.app.write(tenant_id) as session:
        session.add(_note(tenant_id, "kept"))
        await session.flush()
        with pytest.raises(ZeroDivisionError):  # noqa: PT012  # as above
            async with session.savepoint():
                session.add(_note(tenant_id, "undone"))
                await session.flush()
                raise ZeroDivisionError
        session.add(_note(tenant_id, "also kept"))
    assert await _titles(parts, tenant_id) == ["also kept", "kept"]


async def test_errors_do_not_tell_what_was_in_the_statement(parts: Parts, tenant_id: str) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with parts.app.write(tenant_id) as session:
            await session.execute(text("select cast(:value as int) / 0"), {"value": 4711})
    assert "4711" not in str(caught.value)


async def test_a_key_is_locked_for_one_tenant_until_the_transaction_ends(parts: Parts, tenant_id: str) -> None:
    order: list[str] = []
    others = asyncio.Event()

    async def take(name: str, tenant: str, keys: list[str], until: asyncio.Event | None = None) -> None:
        async with parts.app.write(tenant) as session:
            await lock_keys(session, "space", keys)
            order.append(f"{name} in")
            if until is not None:
                await until.wait()
            order.append(f"{name} out")

    first = asyncio.create_task(take("first", tenant_id, ["a", "b"], others))
    while not order:
        await asyncio.sleep(0.01)
    second = asyncio.create_task(take("second", tenant_id, ["b", "a"]))
    async with asyncio.timeout(20):
        await asyncio.gather(take("stranger", TenantId.new(), ["a", "b"]), take("elsewhere", tenant_id, ["c"]))
        await asyncio.sleep(0.1)
        assert "second in" not in order
        others.set()
        await asyncio.gather(first, second)
    assert order.index("second in") > order.index("first out")


async def test_keys_locked_in_any_order_never_deadlock(parts: Parts, tenant_id: str) -> None:
    async def take(keys: list[str]) -> None:
        async with parts.app.write(tenant_id) as session:
            await lock_keys(session, "space", keys)
            await asyncio.sleep(0.001)

    names = [f"k{n}" for n in range(10)]
    await asyncio.gather(*(take(names[n % 10 :] + names[: n % 10]) for n in range(40)))


async def test_a_tenant_is_data_whatever_it_says(parts: Parts) -> None:
    hostile = "x', true); drop table note; select set_config('app.tenant_id', '"
    async with parts.app.write(hostile) as session:
        session.add(_note(hostile))
    assert await _titles(parts, hostile) == ["a"]


async def test_a_transaction_that_could_not_begin_spoils_no_later_one(parts: Parts, tenant_id: str) -> None:
    for _ in range(20):  # more than the pool has connections
        with pytest.raises(DBAPIError):
            await _titles(parts, "no tenant\0")
    assert await _titles(parts, tenant_id) == []


_TITLES = Sql("select title, (select cast(:json as jsonb)) as json from note where title = any(:titles) order by title")


async def test_a_statement_past_sqlalchemy_is_of_the_same_transaction(parts: Parts, tenant_id: str) -> None:
    wanted = {"titles": ["a", "b"], "json": '{"x": [1]}'}
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  # the block is the transaction
        async with parts.app.write(tenant_id) as session:
            assert list(await session.fetch(_TITLES, wanted)) == []  # the first statement, which begins it
            session.add(_note(tenant_id, "a"))
            await session.flush()
            await session.fetch(Sql("update note set title = :title"), {"title": "b"})
            [row] = await session.fetch(_TITLES, wanted)
            assert (row["title"], row["json"]) == ("b", {"x": [1]})
            raise ZeroDivisionError
    async with parts.app.read(tenant_id) as session:
        assert list(await session.fetch(_TITLES, wanted)) == []
        assert list(await session.fetch(_TITLES, wanted)) == []


@pytest.mark.parametrize("first", [True, False], ids=["as the first statement", "as a later one"])
@pytest.mark.parametrize(
    ("statement", "transient"),
    [
        ("select pg_terminate_backend(pg_backend_pid())", True),
        ("select pg_sleep(5)", True),
        ("select 1 / :zero", False),
    ],
)
async def test_what_fails_past_sqlalchemy_is_told_apart_as_ever(
    parts: Parts, tenant_id: str, statement: str, transient: bool, first: bool
) -> None:
    database = Database(parts.urls.app, pool_size=1, command_timeout=0.5)
    try:
        with pytest.raises(Exception) as told:  # noqa: PT012  # what kind it is, is_transient says
            async with database.write(tenant_id) as session:
                if not first:
                    await session.execute(text("select 1"))
                    await session.fetch(Sql("select 1"), {})
                await session.fetch(Sql(statement), {"zero": 0})
        assert is_transient(told.value) == transient
        async with database.write(tenant_id) as session:
            assert len(await session.fetch(Sql("select 1"), {})) == 1
    finally:
        await database.close()
