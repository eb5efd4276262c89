"""A tenant that is read-only is written to by nobody from then on, and nothing that was acknowledged is missing."""

import asyncio

import httpx
import pytest
from crm_contracts.ids import TenantId
from crm_kit.tenants.errors import TenantRefused
from crm_kit.tenants.holding import freeze, thaw
from crm_kit.tenants.settling import settle
from crm_testkit.service import ServiceUnderTest, Tenant, check_problem
from crm_testkit.toy_service.fixtures import Parts
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError


async def _freeze(toy: ServiceUnderTest, tenant_id: str) -> None:
    await freeze("toy", toy.runtime.settings, tenant_id, "ops")


def _is_refused(answer: httpx.Response) -> None:
    check_problem(answer)
    assert (answer.status_code, answer.json()["code"]) == (503, "tenant_read_only"), answer.text
    assert answer.headers["retry-after"] == "60"


async def test_every_write_is_refused_and_every_read_answered(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    note = await tenant.create("/v1/notes", title="before")
    await _freeze(toy, tenant.id)
    path = f"/v1/notes/{note['id']}"
    _is_refused(await tenant.client.post("/v1/notes", json={"title": "a"}))
    _is_refused(await tenant.client.post("/v1/notes", json={"title": "a"}, headers={"Idempotency-Key": "k"}))
    _is_refused(await tenant.client.patch(path, json={"title": "b"}))
    _is_refused(await tenant.client.post(f"{path}/stamp"))
    _is_refused(await tenant.client.delete(path))
    assert await tenant.read(path) == note
    assert (await tenant.read("/v1/notes"))["data"] == [note]
    await toy.tenant().create("/v1/notes", title="of another tenant")

    await thaw("toy", toy.runtime.settings, tenant.id)
    # Under the same key: what was refused was not kept for it.
    answer = await tenant.client.post("/v1/notes", json={"title": "a"}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201


async def test_refusals_leave_connections_as_they_were(toy: ServiceUnderTest) -> None:
    held, free = toy.tenant(), toy.tenant()
    await _freeze(toy, held.id)
    for _ in range(15):  # more than the pool has
        _is_refused(await held.client.post("/v1/notes", json={"title": "a"}, headers={"Idempotency-Key": "k"}))
    for number in range(15):
        await free.create("/v1/notes", title=str(number))
    assert len((await free.read("/v1/notes", limit=100))["data"]) == 15


async def test_who_freezes_waits_for_what_had_begun(toy: ServiceUnderTest, parts: Parts, tenant_id: str) -> None:
    settings = toy.runtime.settings
    async with toy.runtime.database.write(tenant_id) as session:
        await session.scalar(text("select 1"))
        freezing = asyncio.create_task(freeze("toy", settings, tenant_id, "ops"))
        with pytest.raises(DBAPIError, match="read_only"):  # noqa: PT012  # it is tried until it is refused
            while True:  # until the state is there, and from then on at once
                async with toy.runtime.database.write(tenant_id) as later:
                    await later.scalar(text("select 1"))
        assert not freezing.done(), "the first transaction can still commit"
    await freezing
    async with toy.runtime.database.write(tenant_id, always=True) as session:
        assert await session.scalar(text("select 1")) == 1, "what follows from earlier writes goes on"


async def test_writers_who_race_a_freeze_are_acknowledged_or_refused(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    acknowledged: list[str] = []

    async def write(tenant: Tenant) -> None:
        while True:
            answer = await tenant.client.post("/v1/notes", json={"title": "a"})
            if answer.status_code != 201:
                _is_refused(answer)
                return
            acknowledged.append(answer.json()["id"])

    writers = [asyncio.create_task(write(tenant)) for _ in range(8)]
    while len(acknowledged) < 20:
        await asyncio.sleep(0.01)
    await _freeze(toy, tenant.id)
    async with toy.runtime.database.read(tenant.id) as session:
        at_once = set(await session.scalars(text("select id from note")))
    await asyncio.gather(*writers)
    assert at_once == set(acknowledged), "what stood there when the freeze returned is all that was ever acknowledged"


async def test_settled_is_the_number_of_changes_once_all_are_told(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    for title in "abc":
        await tenant.create("/v1/notes", title=title)
    await _freeze(toy, tenant.id)
    assert await settle(toy.manifest, toy.runtime.settings, tenant.id, 30) == 3
    assert len(await toy.events("crm.toy.note", at_least=3)) >= 3


async def test_what_is_no_tenant_is_refused(toy: ServiceUnderTest) -> None:
    for name in ("", "contact_01h455vb4pex5vsknk084sn02q", "'; drop table note"):
        with pytest.raises(TenantRefused, match="no tenant's id"):
            await _freeze(toy, name)


async def test_the_application_cannot_change_the_state(parts: Parts) -> None:
    for statement in ("delete from tenant_state", "insert into tenant_state values ('a', 'b', now(), 'c')"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with parts.app.write(TenantId.new()) as session:
                await session.execute(text(statement))
