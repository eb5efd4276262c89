"""`python -m gateway reconcile` over a whole stack: drift is planted by hand into the gateway's tables, and mended."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from crm_contracts.ids import new_id
from crm_testkit.listener import listen
from crm_testkit.whole_stack import Relata, differences

pytestmark = pytest.mark.long


async def reconcile(relata: Relata, *arguments: str) -> tuple[int | None, list[str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "reconcile", *arguments,
        env={**os.environ, **relata.stack.environment_of("gateway")},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, output.decode().splitlines()


async def plant(relata: Relata, tenant_id: str, statement: str, *values: Any) -> None:
    """Does harm to the tenant's rows, as a hand in the gateway's database would."""
    connection = await asyncpg.connect(relata.stack.environment_of("gateway")["GATEWAY_DATABASE_URL"])
    try:
        async with connection.transaction():
            await connection.execute("select set_config('app.tenant_id', $1, true)", tenant_id)
            assert not (await connection.execute(statement, *values)).endswith(" 0"), statement
    finally:
        await connection.close()


async def create(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def settled(client: httpx.AsyncClient, customer_id: str) -> dict[str, Any]:
    """The view, once it says what the services say."""
    path = f"/v1/customers/{customer_id}"
    async with asyncio.timeout(20):
        while True:
            view, live = await client.get(path), await client.get(path, params={"consistency": "live"})
            if view.status_code == live.status_code == 200 and not differences(view.json(), live.json()):
                found: dict[str, Any] = view.json()
                return found
            await asyncio.sleep(0.05)


async def tenant_of(client: httpx.AsyncClient) -> str:
    async with asyncio.timeout(20):
        while not (await client.get("/v1/pipelines")).json()["data"]:
            await asyncio.sleep(0.05)
    return str((await client.get("/v1/tenants")).json()["data"][0]["id"])


def kinds(lines: list[str]) -> list[tuple[str, str]]:
    """Kind and subject of every finding."""
    found = [line.split(": ", 1)[1].split() for line in lines if line.startswith("tenant_")]
    return sorted((words[0], words[1].rstrip(":")) for words in found)


async def harm_entities(relata: Relata, tenant_id: str, deals: list[str], lost: str) -> list[tuple[str, str]]:
    """Every kind of drift that an entity can have, one each; `lost` is a customer. What should be found of it."""

    async def harm(statement: str, *values: Any) -> None:
        await plant(relata, tenant_id, statement, *values)

    missing, stale, swollen, behind, ahead, dead, untold = deals
    ghost = new_id("deal")
    await harm("delete from entity where id = $1", missing)
    await harm("update entity set data = jsonb_set(data::jsonb, '{name}', '\"secret\"')::json where id = $1", stale)
    await harm("update entity set amount = 99 where id = $1", swollen)
    await harm("update entity set version = 1 where id = $1", behind)
    await harm("update entity set version = 40 where id = $1", ahead)
    await harm("update entity set deleted = true, data = null, open = false where id = $1", dead)
    await harm("delete from timeline_entry where entity_id = $1", untold)
    await harm(
        "insert into entity (tenant_id, id, type, service, version, deleted, time, contact_id, created_at, at, status,"
        " open, amount, currency, data) select tenant_id, $2, type, service, version, deleted, time, contact_id,"
        " created_at, at, status, open, 5000, currency, jsonb_set(data::jsonb, '{id}', to_jsonb($2::text))::json"
        " from entity where id = $1",
        behind, ghost,
    )  # fmt: skip
    await harm("delete from entity where id = $1", lost)
    await harm("delete from customer_view where id = $1", lost)
    return [
        ("missing", missing), ("altered", stale), ("altered", swollen), ("behind", behind), ("ahead", ahead),
        ("deleted", dead), ("altered", untold), ("ghost", ghost), ("missing", lost),
    ]  # fmt: skip


async def harm_views(
    relata: Relata, tenant_id: str, wrong: str, missing: str, unfound: str, unsearched: str
) -> list[tuple[str, str]]:
    await plant(relata, tenant_id, "update customer_view set doc = '{\"id\": 1}' where id = $1", wrong)
    await plant(relata, tenant_id, "delete from customer_view where id = $1", missing)
    await plant(relata, tenant_id, "delete from customer_key where customer_id = $1", unfound)
    await plant(relata, tenant_id, "update customer_search set digest = '', grams = '{}' where id = $1", unsearched)
    return [("view_wrong", wrong), ("view_missing", missing), ("view_wrong", unfound), ("view_wrong", unsearched)]


async def a_company(client: httpx.AsyncClient) -> tuple[str, list[str], list[str]]:
    """An account, its contacts, and the first one's deals, one of them changed since."""
    account = await create(client, "/v1/accounts", name="云帆")
    people = [
        await create(
            client, "/v1/contacts", full_name=f"客户{n}", account_id=account["id"],
            emails=[{"address": f"c{n}@example.com"}],
        )
        for n in range(5)
    ]  # fmt: skip
    ids = [one["id"] for one in people]
    amounts = [{"amount": f"{n}.00", "currency": "CNY"} for n in range(1, 8)]
    deals = [await create(client, "/v1/deals", name="框架", contact_id=ids[0], amount=amount) for amount in amounts]
    changed = await client.patch(f"/v1/deals/{deals[3]['id']}", json={"name": "年度框架"})
    assert changed.status_code == 200
    return account["id"], ids, [one["id"] for one in deals]


async def test_every_kind_of_drift_is_found_told_and_mended(on_embedded: Relata) -> None:
    relata = on_embedded
    async with relata.client_of(await relata.new_tenant_key("Drift")) as client:
        tenant_id = await tenant_of(client)
        account, ids, deals = await a_company(client)
        for one in [*ids, account]:
            await settled(client, one)
        well = ["6 customers compared, 0 drifted, 0 repaired, 0 unsettled"]
        assert await reconcile(relata, "--tenant", tenant_id, "--all") == (0, well)

        before = (await client.get(f"/v1/customers/{ids[1]}")).json()["version"]
        planted = await harm_entities(relata, tenant_id, deals, ids[4])
        planted += await harm_views(relata, tenant_id, ids[1], ids[2], ids[3], account)
        code, lines = await reconcile(relata, "--tenant", tenant_id, "--all")
        assert code == 1, lines
        assert set(kinds(lines)) >= set(planted), lines
        assert "secret" not in "".join(lines), "ids and versions, no personal data"

        code, lines = await reconcile(relata, "--tenant", tenant_id, "--all", "--repair")
        assert code == 0, lines
        assert set(kinds(lines)) >= {one for one in planted if not one[0].startswith("view_")}, lines

        for one in [*ids, account]:
            await settled(client, one)
        assert (await settled(client, ids[1]))["version"] > before
        found = await client.get("/v1/customers/lookup", params={"email": "c3@example.com"})
        assert ids[3] in found.text, found.text
        searched = await client.get("/v1/customers", params={"q": "yunfan", "kind": "account"})
        assert [item["id"] for item in searched.json()["data"]] == [account], searched.text
        assert await reconcile(relata, "--tenant", tenant_id, "--all") == (0, well)


async def test_writes_that_go_on_are_no_drift(on_embedded: Relata) -> None:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Busy")) as client:
        tenant_id = await tenant_of(client)
        ids = [(await create(client, "/v1/contacts", full_name="忙"))["id"] for _ in range(3)]
        writing = True

        async def write(contact_id: str) -> int:
            written = 0
            while writing:
                written += 1
                await client.patch(f"/v1/contacts/{contact_id}", json={"title": str(written)})
                deal = await create(client, "/v1/deals", name="忙", contact_id=contact_id)
                if written % 3:
                    assert (await client.delete(f"/v1/deals/{deal['id']}")).status_code == 204
                await asyncio.sleep(0.03)
            return written

        writers = [asyncio.create_task(write(one)) for one in ids]
        try:
            code, lines = await reconcile(on_embedded, "--tenant", tenant_id, "--all", "--repair")
        finally:
            writing = False
            written = await asyncio.gather(*writers)
        assert (code, lines[-1].split(", ")[:2]) == (0, ["3 customers compared", "0 drifted"]), lines
        assert min(written) > 3


async def test_a_view_that_is_only_stale_is_no_drift(on_embedded: Relata) -> None:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Stale")) as client:
        tenant_id = await tenant_of(client)
        contact_id = (await create(client, "/v1/contacts", full_name="王伟"))["id"]
        await settled(client, contact_id)
        worker = await asyncpg.connect(on_embedded.stack.environment_of("gateway")["GATEWAY_DATABASE_URL"])
        try:
            # The worker's lock of this tenant: nobody but the reconciliation will compose the view.
            await worker.execute(
                "select pg_advisory_lock(hashtextextended('stale_customer ' || $1::text, 0))", tenant_id
            )
            spoil = "update customer_view set doc = '{}', digest = '' where id = $1"
            await plant(on_embedded, tenant_id, spoil, contact_id)
            mark = "insert into stale_customer (tenant_id, customer_id, renamed) values ($1, $2, false)"
            await plant(on_embedded, tenant_id, mark, tenant_id, contact_id)
            code, lines = await reconcile(on_embedded, "--tenant", tenant_id, "--all")
            assert (code, lines) == (0, ["1 customers compared, 0 drifted, 0 repaired, 0 unsettled"])
        finally:
            await worker.close()
        await settled(client, contact_id)


@asynccontextmanager
async def timers_beside(relata: Relata) -> AsyncIterator[str]:
    """Another process of the gateway that only runs its jobs, often; its address."""
    with listen() as listener:
        port = listener.getsockname()[1]
    settings = {"PORT": str(port), "RECONCILE_INTERVAL_SECONDS": "0.3", "MIGRATE_AT_START": "false"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "timers",
        env={**os.environ, **relata.stack.environment_of("gateway"), **settings},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)


async def metric(address: str, name: str) -> float:
    """0 before the process answers."""
    try:
        async with httpx.AsyncClient() as client:
            lines = (await client.get(f"{address}/metrics")).text.splitlines()
    except httpx.TransportError:
        return 0.0
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


async def test_the_job_mends_and_counts_in_one_process_alone(on_embedded: Relata) -> None:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Job")) as client:
        tenant_id = await tenant_of(client)
        contact = await create(client, "/v1/contacts", full_name="王伟")
        await settled(client, contact["id"])
        await plant(on_embedded, tenant_id, "delete from entity where id = $1", contact["id"])
        await plant(on_embedded, tenant_id, "delete from customer_view where id = $1", contact["id"])
        async with timers_beside(on_embedded) as one, timers_beside(on_embedded) as other:
            async with asyncio.timeout(120):  # a run goes over what all tests before have left
                while not any([await metric(at, 'crm_reconcile_repairs_total{kind="missing"') for at in (one, other)]):
                    await asyncio.sleep(0.1)
                while max([await metric(at, "crm_reconcile_runs_total") for at in (one, other)]) < 3:
                    await asyncio.sleep(0.1)
            runs = sorted([await metric(at, "crm_reconcile_runs_total") for at in (one, other)])
            assert runs[0] == 0 < runs[1], "one of them has the job"
            drifted = [await metric(at, 'crm_reconcile_drift_total{kind="missing"') for at in (one, other)]
            assert sorted(drifted) == [0, 1]
        await settled(client, contact["id"])


async def test_nobody_outside_reaches_the_states(on_embedded: Relata) -> None:
    urls = on_embedded.stack.urls
    for what, body in (("states", {"ids": []}), ("owned", {"owners": []}), ("ids", {}), ("restate", {"ids": []})):
        path = f"/internal/entities/{what}"
        assert (await on_embedded.client.post(path, json=body)).status_code == 404
        for service in ("contacts", "pipeline", "tickets", "campaigns"):
            answer = await on_embedded.client.post(f"{urls[service]}{path}", json=body)
            assert answer.status_code == 401, (service, what)


async def _as_superuser(relata: Relata, *statements: str) -> None:
    connection = await asyncpg.connect(relata.stack.database_url("postgres"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def nobody_in(relata: Relata, database: str) -> AsyncIterator[None]:
    """While its database takes no connection a service waits for it."""
    await _as_superuser(
        relata,
        f"alter database {database} allow_connections false",
        f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'",
    )
    try:
        yield
    finally:
        await _as_superuser(relata, f"alter database {database} allow_connections true")


async def test_a_service_that_was_restored_to_an_earlier_moment_is_what_views_show_again(on_embedded: Relata) -> None:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Restored")) as client:
        tenant_id = await tenant_of(client)
        contact = await create(client, "/v1/contacts", full_name="欧阳晓梅")
        old = await create(client, "/v1/deals", name="Before", contact_id=contact["id"])
        before = await settled(client, contact["id"])
        async with nobody_in(on_embedded, "pipeline"):
            await _as_superuser(on_embedded, "create database pipeline_before template pipeline owner pipeline_owner")
        async with asyncio.timeout(60):
            while (await client.patch(f"/v1/deals/{old['id']}", json={"name": "Forgotten"})).status_code != 200:
                await asyncio.sleep(0.1)
        lost = await create(client, "/v1/deals", name="Lost", contact_id=contact["id"])
        await settled(client, contact["id"])

        async with nobody_in(on_embedded, "pipeline"):
            await _as_superuser(
                on_embedded,
                "alter database pipeline rename to pipeline_after",
                "alter database pipeline_before rename to pipeline",
                "revoke all on database pipeline from public",
                "grant connect on database pipeline to pipeline_owner, pipeline_app, pipeline_system",
                "drop database pipeline_after",
            )
        async with asyncio.timeout(60):
            while (await client.get(f"/v1/deals/{lost['id']}")).status_code != 404:
                await asyncio.sleep(0.1)

        code, lines = await reconcile(on_embedded, "--tenant", tenant_id, "--all", "--repair")
        assert kinds(lines) == sorted([("ahead", old["id"]), ("ghost", lost["id"])]), lines
        assert code == 0, lines
        view = await settled(client, contact["id"])
        assert [(deal["id"], deal["name"]) for deal in view["sales"]["open_deals"]] == [(old["id"], "Before")]
        assert before["profile"] == view["profile"]
        changed = await client.patch(f"/v1/deals/{old['id']}", json={"name": "After"})
        assert changed.status_code == 200, changed.text
        async with asyncio.timeout(30):
            while (await settled(client, contact["id"]))["sales"]["open_deals"][0]["name"] != "After":
                await asyncio.sleep(0.05)
        code, lines = await reconcile(on_embedded, "--tenant", tenant_id, "--all")
        assert (code, kinds(lines)) == (0, []), lines
