"""Look-ups that come while a statement is under way go together with the next one."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from crm_kit.db.gathering import GatheredReads
from hypothesis import given
from hypothesis import strategies as st

CALLS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("klmn"), st.integers(0, 3)), max_size=60)
"""Tenant, key, and how many turns of the loop later it is asked."""


class Store:
    """Answers after a while, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Sequence[str]]] = []
        self.under_way: dict[str, int] = {}
        self.most = 0

    async def fetch(self, tenant_id: str, keys: Sequence[str]) -> Mapping[str, str]:
        self.asked.append((tenant_id, keys))
        self.under_way[tenant_id] = self.under_way.get(tenant_id, 0) + 1
        self.most = max(self.most, self.under_way[tenant_id])
        for _ in range(3):
            await asyncio.sleep(0)
        self.under_way[tenant_id] -= 1
        if "broken" in keys:
            raise ConnectionError("gone")
        return {key: f"{tenant_id}/{key}" for key in keys if key != "n"}


@given(CALLS)
def test_everybody_gets_their_own_and_nobody_waits_for_another_tenant(calls: list[tuple[str, str, int]]) -> None:
    async def run() -> None:
        store = Store()
        reads = GatheredReads(store.fetch)

        async def ask(tenant_id: str, key: str, turns: int) -> str | None:
            for _ in range(turns):
                await asyncio.sleep(0)
            return await reads.get(tenant_id, key)

        found = await asyncio.gather(*(ask(*call) for call in calls))
        assert found == [None if key == "n" else f"{tenant_id}/{key}" for tenant_id, key, _ in calls]
        assert store.most <= 2
        assert all(len(keys) == len(set(keys)) for _, keys in store.asked)

    asyncio.run(run())


async def test_a_lone_request_waits_for_nothing_and_many_share_a_statement() -> None:
    store = Store()
    reads = GatheredReads(store.fetch)
    assert await reads.get("a", "k") == "a/k"
    assert store.asked == [("a", ["k"])]
    await asyncio.gather(*(reads.get("a", f"k{number}") for number in range(250)))
    assert len(store.asked) <= 5
    assert max(len(keys) for _, keys in store.asked) <= 100


async def test_a_failure_is_told_to_those_who_asked_alone() -> None:
    reads = GatheredReads(Store().fetch)
    broken, other = await asyncio.gather(reads.get("a", "broken"), reads.get("b", "k"), return_exceptions=True)
    assert isinstance(broken, ConnectionError)
    assert other == "b/k"
    assert await reads.get("a", "k") == "a/k"


async def test_who_goes_away_takes_nobody_along() -> None:
    reads = GatheredReads(Store().fetch)
    leaving, staying = asyncio.ensure_future(reads.get("a", "k")), asyncio.ensure_future(reads.get("a", "k"))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await staying == "a/k"
