"""A tenant with one of everything moves from one stack to another, and is deleted where it was; its neighbour notices nothing."""

import asyncio
import json
import re
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from crm_kit.audit.verify import verify
from crm_kit.db.session import Database
from crm_kit.manifest import Manifest
from crm_kit.settings import ServiceSettings
from crm_kit.tenants.deleting import delete_tenant
from crm_kit.tenants.errors import TenantRefused
from crm_kit.tenants.exporting import export_tenant
from crm_kit.tenants.holding import freeze, thaw
from crm_kit.tenants.importing import import_tenant, restate_tenant
from crm_kit.tenants.settling import settle
from crm_local.configuration import MODULES
from crm_local.stack import LocalStack
from crm_testkit.one_of_everything import ACCOUNTS, CONTACTS, fill, make_one_of_everything
from crm_testkit.stand_in import StandIn, running_stand_in
from crm_testkit.tenant_rows import Rows, rows_of, tables_that_name
from crm_testkit.webhooks import Hooks, until
from crm_testkit.whole_stack import Relata, new_tenant, running_stack

_LAST_USED = re.compile(r'"last_used_at": ?(null|"[^"]*")')
"""When a key was used last is written down while we look."""
_KEPT_ELSEWHERE = {"tenant_state", "rate_bucket"}
"""The state itself, which differs; and what a key has spent, which is written while we look."""

_SEALED = {("gateway", "webhook_endpoint"), ("gateway", "inbound_source"), ("gateway", "inbound_digest_key")}
"""Sealed anew under the other installation's secret: that they open is seen by what is signed by them."""

_NOT_COMPARED = {
    "/v1/audit-log": "to be shown who was shown what is told in it",
    "/v1/audit-log/export": "as that",
    "/v1/events": "a stream",
}


class Operator:
    """Does with a tenant what the commands do, over all services of a stack, in the order of `crm_local.tenants`."""

    def __init__(self, stack: LocalStack) -> None:
        self.services: list[tuple[Manifest, ServiceSettings]] = []
        for name in ("contacts", "pipeline", "tickets", "campaigns", "gateway"):
            manifest: Manifest = import_module(f"{MODULES[name]}.manifest").MANIFEST
            self.services.append((manifest, manifest.settings.load(name, stack.environment_of(name))))

    async def freeze(self, tenant_id: str) -> None:
        for manifest, settings in self.services:
            await freeze(manifest.name, settings, tenant_id, "ops")
        await self.settle(tenant_id)

    async def settle(self, tenant_id: str) -> None:
        before: list[int] = []
        while (found := [await settle(manifest, of, tenant_id, 60) for manifest, of in self.services]) != before:
            before = found

    async def export(self, tenant_id: str, folder: Path) -> None:
        for manifest, settings in self.services:
            assert (await export_tenant(manifest, settings, tenant_id, folder, print)).is_settled

    async def take_in(self, folder: Path, secrets: Mapping[str, str]) -> None:
        for manifest, settings in self.services:
            secret = secrets.get(manifest.name)
            await import_tenant(manifest, settings, folder, "ops", print, source_secret=secret)

    async def restate(self, tenant_id: str) -> None:
        for manifest, settings in self.services:
            await restate_tenant(manifest, settings, tenant_id)
        await self.settle(tenant_id)

    async def thaw(self, tenant_id: str) -> None:
        for manifest, settings in self.services:
            await thaw(manifest.name, settings, tenant_id)

    async def delete(self, tenant_id: str) -> dict[str, Any]:
        return {
            manifest.name: await delete_tenant(manifest, settings, tenant_id, "ops", print, seconds=60)
            for manifest, settings in reversed(self.services)
        }

    @property
    def secrets(self) -> dict[str, str]:
        return {manifest.name: settings.secret for manifest, settings in self.services}


async def _lists(client: httpx.AsyncClient, ids: Mapping[str, str]) -> dict[str, str]:
    """What every list, every record that we have the id of, and every customer's view and timeline say."""
    document = (await client.get("/openapi.json")).json()
    paths = [path for path, operations in document["paths"].items() if "get" in operations and path.startswith("/v1/")]
    wanted = {fill(path, ids) for path in paths if path not in _NOT_COMPARED and _is_fillable(path, ids)}
    wanted |= {
        f"{collection}/{ids[collection]}" for collection in ids if "{" not in collection and "/scim" not in collection
    }
    for customer in (ids[CONTACTS], ids[ACCOUNTS]):
        wanted |= {f"/v1/customers/{customer}", f"/v1/customers/{customer}/timeline"}
    found: dict[str, str] = {}
    for path in sorted(wanted):
        answer = await client.get(path)
        told: Any = answer.text
        if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
            told = answer.json()
            if isinstance(told, dict):
                told.pop("next_cursor", None)  # signed by the installation
            told = _LAST_USED.sub("", json.dumps(told, ensure_ascii=False))
        if answer.status_code == 200:
            found[path] = f"{answer.headers.get('etag')} {told}"
    return found


def _same_answers(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    assert before.keys() == after.keys()
    differing = {path: (before[path], after[path]) for path in before if before[path] != after[path]}
    # Without a time they are of periods that end now.
    assert {path for path in differing if not path.startswith("/v1/digests/")} == set(), differing
    assert len(before) > 100


def _is_fillable(path: str, ids: Mapping[str, str]) -> bool:
    try:
        return "{" not in fill(path, ids)
    except KeyError:
        return False


@pytest.mark.timeout(600)
async def test_a_tenant_moves_whole_and_is_deleted_where_it_was(on_embedded: Relata, tmp_path: Path) -> None:
    source = on_embedded.stack
    _, neighbour_key = await new_tenant(source, "Neighbour")
    tenant_id, key = await new_tenant(source, "Moving")
    async with (
        running_stand_in() as receiver,
        running_stack("embedded") as target,
        on_embedded.client_of(key) as client,
        on_embedded.client_of(neighbour_key) as neighbour,
        target.client_of(key) as there,
    ):
        before = (await neighbour.post("/v1/contacts", json={"full_name": "邻居"})).json()
        ids = await make_one_of_everything(client)
        hooks = Hooks(client, receiver)
        endpoint = await hooks.subscribe(kinds=["team.*"])
        await hooks.team("told before")
        await hooks.arrived(1)
        await hooks.caught_up(endpoint)

        here, elsewhere = Operator(source), Operator(target.stack)
        await here.freeze(tenant_id)
        await _is_read_only(client, ids)
        assert (await neighbour.post("/v1/teams", json={"name": "still here"})).status_code == 201
        said, rows = await _lists(client, ids), await _rows_at_rest(source, tenant_id)

        await here.export(tenant_id, tmp_path)
        with pytest.raises(TenantRefused, match="sealed under another SECRET"):
            await elsewhere.take_in(tmp_path, {})
        # It stopped at the gateway: the same once more goes on.
        await elsewhere.take_in(tmp_path, here.secrets)
        _same_rows(rows, await rows_of(target.stack, tenant_id))
        await elsewhere.restate(tenant_id)
        # Who is told of a merge once more looks by a timer whether something is left to be moved.
        _same_rows(rows, await rows_of(target.stack, tenant_id), but={"timer"})
        await _is_read_only(there, ids)
        _same_answers(said, await _lists(there, ids))

        told = len(receiver.asked)
        await elsewhere.thaw(tenant_id)
        await _goes_on(there, ids, hooks, receiver, told)
        for manifest, settings in elsewhere.services:
            system = Database(settings.system_database_url, pool_size=1)
            faults = [fault async for report in verify(system, manifest.name) for fault in report.faults]
            await system.close()
            assert faults == [], manifest.name

        await _is_deleted(here, source, tenant_id, client)
        with pytest.raises(TenantRefused, match="deleted"):
            await here.take_in(tmp_path, {})
        assert (await neighbour.get(f"/v1/contacts/{before['id']}")).json() == before


async def _is_read_only(client: httpx.AsyncClient, ids: Mapping[str, str]) -> None:
    """Everywhere, on the fast path too; reading goes on."""
    for path, body in (
        ("/v1/contacts", {"full_name": "王伟"}),
        ("/v1/deals", {"name": "年度框架", "contact_id": ids[CONTACTS]}),
        ("/v1/tickets", {"subject": "无法登录", "contact_id": ids[CONTACTS], "channel": "email"}),
        ("/v1/segments", {"name": "全部客户"}),
        ("/v1/teams", {"name": "华东"}),
    ):
        answer = await client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "tenant_read_only"), (path, answer.text)
        assert answer.headers["retry-after"] == "60"
    assert (await client.get(f"/v1/customers/{ids[CONTACTS]}")).status_code == 200


async def _rows_at_rest(stack: LocalStack, tenant_id: str) -> Rows:
    """Once what was read has been told in the audit log, and sealed there."""
    before: Rows = {}
    while (rows := await rows_of(stack, tenant_id)) != before:
        before = rows
        await asyncio.sleep(2)
    return rows


def _same_rows(before: Rows, after: Rows, but: Collection[str] = ()) -> None:
    """In every table of every service."""
    for place in sorted({*before, *after}):
        if place[1] not in _KEPT_ELSEWHERE | {*but} and place not in _SEALED:
            assert _but_for_use(after.get(place)) == _but_for_use(before.get(place)), place
    assert {place for place in _SEALED if len(after[place]) == len(before[place])} == _SEALED


def _but_for_use(rows: Sequence[str] | None) -> list[str]:
    return [_LAST_USED.sub("", row) for row in rows or ()]


async def _goes_on(
    there: httpx.AsyncClient, ids: Mapping[str, str], hooks: Hooks, receiver: StandIn, told: int
) -> None:
    """What was begun before goes on here: ids, versions, and webhooks from the place where they were."""
    contact = (await there.get(f"/v1/contacts/{ids[CONTACTS]}")).json()
    answer = await there.patch(
        f"/v1/contacts/{contact['id']}", json={"title": "采购经理"}, headers={"If-Match": f'"{contact["version"]}"'}
    )
    assert (answer.status_code, answer.json()["version"]) == (200, contact["version"] + 1)
    view = await there.get(
        f"/v1/customers/{contact['id']}", headers={"Consistency-Token": answer.headers["consistency-token"]}
    )
    assert view.json()["profile"]["title"] == "采购经理"
    assert (await there.post("/v1/teams", json={"name": "told after"})).status_code == 201

    async def heard() -> bool:
        return len(receiver.asked) > told

    await until(heard)
    names = [event["data"]["entity"]["name"] for event in hooks.events[told:]]
    assert names == ["told after"], "the move itself is told to nobody"


async def _is_deleted(here: Operator, stack: LocalStack, tenant_id: str, client: httpx.AsyncClient) -> None:
    certificates = await here.delete(tenant_id)
    for told in certificates.values():
        assert told["state"] == "deleted"
        assert told["tables"]["audit_entry"] > 0
    assert certificates["contacts"]["tables"]["contact"] > 5

    async def is_unknown() -> bool:
        return (await client.get("/v1/contacts")).status_code == 401

    await until(is_unknown)  # keys are remembered for some seconds
    assert sorted(await tables_that_name(stack, tenant_id)) == sorted(f"{name}.tenant_state" for name in MODULES)
