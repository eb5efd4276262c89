"""Two releases side by side under load, over one database and one event log: nothing is lost, forth and back again.

And no request goes without an answer, or gets an error of ours. `make rolling-upgrade` does it from a release that there was,
with a process for each role.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from crm_kit.states import said
from crm_local.configuration import PROCESSES, Configuration
from crm_local.run_folder import temporary_run_dir
from crm_testkit.chaos.observed import verdicts
from crm_testkit.rolling.load import Load
from crm_testkit.rolling.release import CONTRACT, EXPAND, write_next_release
from crm_testkit.rolling.stack import RollingStack
from crm_testkit.whole_stack import differences

pytestmark = pytest.mark.long

_NAME = "小梅"
_LABELLED = {"address": "mei@example.com", "primary": True, "verified": False, "label": "work"}
_SETTLED_SECONDS = 60.0
_BUSES = [
    pytest.param(bus, marks=pytest.mark.kafka if bus == "kafka" else ())
    for bus in os.environ.get("ROLLING_BUSES", "embedded").split()
]
"""`ROLLING_BUSES="embedded kafka"`: on Kafka it takes another minute."""


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=_BUSES)
async def stack(request: pytest.FixtureRequest) -> AsyncIterator[RollingStack]:
    with temporary_run_dir() as folder:
        kafka = request.getfixturevalue("kafka_broker").bootstrap_servers if request.param == "kafka" else ""
        newer = await asyncio.to_thread(write_next_release, folder / "newer", EXPAND)
        async with RollingStack(Configuration(folder / "run", bus=request.param, kafka=kafka), newer) as started:
            yield started


async def _load(stack: RollingStack, tenants: int) -> Load:
    load = Load(stack)
    await load.open(tenants)
    return load


async def _until_both_serve(stack: RollingStack, load: Load) -> None:
    """Until both releases of contacts-svc and of the gateway have answered requests beside one another."""
    before = {name: await stack.served(name) for name in ("contacts", "gateway")}
    async with asyncio.timeout(120):
        for name, (this, other) in before.items():
            while True:
                await _readers(stack, load)
                now = await stack.served(name)
                if now[0] >= this + 10 and now[1] >= other + 10:
                    break


async def _readers(stack: RollingStack, load: Load) -> None:
    """Many at once, each over a connection of its own, so that the gateways open more connections too."""

    async def read(key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=stack.public_url, headers=headers, timeout=60) as client:
            assert (await client.get("/v1/contacts", params={"limit": "1"})).status_code == 200

    await asyncio.gather(*(read(key) for key in load.told for _ in range(8)))


@dataclass
class EarlyAdopter:
    """One who writes the new members while old processes still serve, which the guide advises against."""

    stack: RollingStack
    client: httpx.AsyncClient
    tenant_id: str
    untouched: str = ""
    left: str = ""
    followed: str = ""

    async def before(self) -> None:
        for name in ("untouched", "left", "followed"):
            phone = {"number": "+8613800138000"}
            body = {"full_name": name, "emails": [{"address": "mei@example.com"}], "phones": [phone]}
            answer = await self.client.post("/v1/contacts", json=body)
            assert answer.status_code == 201, answer.text
            setattr(self, name, answer.json()["id"])

    async def beside(self) -> None:
        """New writes the new members, old changes something else of the same contacts."""
        old = self.stack.door("contacts", self.tenant_id, new=False)
        new = self.stack.door("contacts", self.tenant_id, new=True)
        async with old, new:
            for contact_id in (self.left, self.followed):
                path = f"/v1/contacts/{contact_id}"
                written = await new.patch(path, json={"nickname": _NAME, "emails": [_LABELLED]})
                assert (written.status_code, written.json()["nickname"]) == (200, _NAME), written.text
                assert "nickname" not in (await old.get(path)).json()
                changed = await old.patch(path, json={"title": "经理"})
                assert changed.status_code == 200, changed.text
                now = (await new.get(path)).json()
                assert (now["nickname"], now["title"]) == (_NAME, "经理")
                assert now["emails"] == [{**_LABELLED, "label": None}], "docs/adr/0014 says what is lost: not this much"
                assert (await old.patch(path, json={"nickname": "x"})).status_code == 422

    async def after(self) -> None:
        """Only new processes serve: what the views lack, and what gives it to them."""
        assert (await self.client.patch(f"/v1/contacts/{self.followed}", json={"source": "fair"})).status_code == 200
        await self._shows(self.followed, _NAME)
        assert (await self._view(self.left))["profile"].get("nickname") is None, "its last event is an old process's"
        code, said = await self.stack.run_new("gateway", "reconcile", "--all", "--tenant", self.tenant_id, "--repair")
        assert code == 0, said
        assert said.count("altered") == said.count("drifted,") == 1, said
        assert f"altered {self.left}" in said
        await self._shows(self.left, _NAME)
        await self._shows(self.untouched, None)

    async def back_again(self) -> None:
        """Only old processes serve, over the newer database: they change what they know, and keep what they do not."""
        for contact_id in (self.left, self.followed):
            path = f"/v1/contacts/{contact_id}"
            assert (await self.client.patch(path, json={"title": "总监"})).status_code == 200
            assert "nickname" not in (await self.client.get(path)).json()
        rows = await _as_superuser(self.stack, "select nickname from contact where title = '总监'")
        assert [row["nickname"] for row in rows] == [_NAME, _NAME]

    async def _view(self, contact_id: str) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/customers/{contact_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def _shows(self, contact_id: str, nickname: str | None) -> None:
        async with asyncio.timeout(_SETTLED_SECONDS):
            while (await self._view(contact_id))["profile"].get("nickname") != nickname:
                await asyncio.sleep(0.05)


async def _as_superuser(stack: RollingStack, statement: str) -> list[Any]:
    connection = await asyncpg.connect(stack.database_url("contacts"))
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


async def _view_equals_live(client: httpx.AsyncClient, path: str) -> None:
    """But for members that are null: a view that is older than a release lacks those that came with it."""
    async with asyncio.timeout(_SETTLED_SECONDS):
        while True:
            view, live = await client.get(path), await client.get(path, params={"consistency": "live"})
            if view.status_code == live.status_code == 200 and not differences(said(view.json()), said(live.json())):
                return
            await asyncio.sleep(0.1)


async def _check(stack: RollingStack, load: Load) -> None:
    found = await verdicts(stack, load.told, None, [], _SETTLED_SECONDS)
    assert not found.anomalies, "\n".join(map(str, found.anomalies[:20]))
    for key in load.told:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=stack.public_url, headers=headers, timeout=60) as client:
            for contact_id in load.busiest(key):
                await _view_equals_live(client, f"/v1/customers/{contact_id}")
    unclean = [refusal.what for refusal in load.refusals if not refusal.is_clean]
    assert not [*load.faults, *unclean], [*load.faults, *unclean][:10]


@pytest.mark.timeout(600)
async def test_a_rolling_upgrade_and_the_way_back_under_load_lose_nothing(stack: RollingStack) -> None:
    load = await _load(stack, tenants=2)
    tenant_id, key = await stack.new_tenant()
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=stack.public_url, headers=headers, timeout=60) as client:
        adopter = EarlyAdopter(stack, client, tenant_id)
        await adopter.before()
        async with load.writing("forth", 2):
            await load.until_written(50)
            await stack.start_new(*PROCESSES)  # contacts-svc migrates its database, while the old one writes to it
            await _until_both_serve(stack, load)
            await adopter.beside()
            for names in (("pipeline", "tickets", "campaigns"), ("contacts",), ("gateway",)):
                await stack.end_old(*names)
            await load.until_written(50)
        await _check(stack, load)
        await adopter.after()
        async with load.writing("back", 2):
            await stack.start_old("contacts", "gateway")
            await _until_both_serve(stack, load)
            await stack.end_new("contacts")
            await stack.end_new("gateway")
            await load.until_written(50)
        await _check(stack, load)
        await adopter.back_again()


async def test_a_migration_that_contracts_too_early_is_found(stack: RollingStack, tmp_path: Path) -> None:
    load = await _load(stack, tenants=1)
    hasty = await asyncio.to_thread(write_next_release, tmp_path / "hasty", EXPAND, CONTRACT)
    async with load.writing("contract", 2):
        await load.until_written(20)
        code, said = await stack.run_new("contacts", "migrate", release=hasty)
        assert code == 0, said
        async with asyncio.timeout(60):
            while all(refusal.is_clean for refusal in load.refusals):
                await asyncio.sleep(0.05)
        await _as_superuser(stack, "alter table contact alter nickname drop not null")  # and the writers come to an end
    with pytest.raises(AssertionError, match="500"):
        await _check(stack, load)
