"""What stands is read once, as long as it stands."""

import asyncio

import pytest
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.db.standing import Standing
from crm_kit.db.unbegun import NeedsTransaction, UnbegunSession
from crm_testkit.toy_service import NoteId
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.toy_service.notes import NoteRow
from sqlalchemy import select


class Rules:
    """The numbers of a tenant's rules, and how often they were read."""

    def __init__(self) -> None:
        self.standing = Standing("rules", "rule", "notes_mark", self._load)
        self.loads = 0

    async def _load(self, session: ReadSession) -> list[int]:
        self.loads += 1
        c = columns(NoteRow)
        return list(await session.scalars(select(c.version).where(c.title == "rule").order_by(c.version)))


async def _change(parts: Parts, tenant_id: str, version: int) -> None:
    async with parts.app.write(tenant_id) as session:
        await lock_keys(session, "rules", [""])
        session.add(NoteRow(tenant_id=tenant_id, id=NoteId.new(), title="rule", version=version))


async def test_it_is_read_anew_when_it_has_changed(parts: Parts, tenant_id: str) -> None:
    rules = Rules()
    for expected, loads in (([], 1), ([7], 2), ([7, 8], 3)):
        for _ in range(3):
            async with parts.app.write(tenant_id) as session:
                assert await session.standing(rules.standing) == expected
                assert await session.standing(rules.standing) == expected
        assert rules.loads == loads
        await _change(parts, tenant_id, 6 + loads)


async def test_who_relies_on_it_waits_for_who_changes_it(parts: Parts, tenant_id: str) -> None:
    rules, order = Rules(), list[str]()

    async def rely(name: str) -> None:
        async with parts.app.write(tenant_id) as session:
            await session.standing(rules.standing)
            order.append(f"{name} in")
            await asyncio.sleep(0.2)
            order.append(f"{name} out")

    relying = [asyncio.create_task(rely(name)) for name in "ab"]
    while len(order) < 2:
        await asyncio.sleep(0.01)
    await asyncio.gather(*relying, _change(parts, tenant_id, 1))
    assert set(order[:2]) == {"a in", "b in"}
    async with parts.app.write(tenant_id) as session:
        assert await session.standing(rules.standing) == [1]


async def test_a_transaction_that_has_not_begun_knows_what_the_process_knows(parts: Parts, tenant_id: str) -> None:
    rules = Rules()
    unbegun = UnbegunSession(tenant_id, parts.app.standings)
    with pytest.raises(NeedsTransaction):
        await unbegun.standing(rules.standing)
    async with parts.app.write(tenant_id) as session:
        await session.standing(rules.standing)
    assert await unbegun.standing(rules.standing) == []
    assert list(unbegun.assumed) == [rules.standing]
    for asked in (unbegun.now(), unbegun.flush(), unbegun.scalar(select(1)), lock_keys(unbegun, "a", ["b"])):
        with pytest.raises(NeedsTransaction):
            await asked
    with pytest.raises(NeedsTransaction):
        unbegun.add(NoteRow(id=NoteId.new(), title="a"))
